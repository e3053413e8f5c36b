"""The simulated payment, as a buyer chooses how it shall end. Pure."""

from dataclasses import dataclass

from fullhouse.infra.languages import Translator


@dataclass(frozen=True, slots=True)
class Ending:
    """One way for a test payment to end."""

    outcome: str
    name: str
    text: str


def payment_endings(speak: Translator) -> list[Ending]:
    """List the endings, the usual one first."""
    gettext = speak.gettext
    return [
        Ending("succeed", gettext("It succeeds"), gettext("The tickets follow in a few seconds.")),
        Ending("decline", gettext("The card is declined"), gettext("Nothing is taken, and you can try again.")),
        Ending(
            "late", gettext("It succeeds late"), gettext("The confirmation takes a while, as with a bank transfer.")
        ),
        Ending(
            "lost_answer",
            gettext("It succeeds, but the answer is lost"),
            gettext("As when the connection breaks while you pay."),
        ),
    ]
