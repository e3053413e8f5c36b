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
    say = speak.gettext
    return [
        Ending("succeed", say("It succeeds"), say("The tickets follow in a few seconds.")),
        Ending("decline", say("The card is declined"), say("Nothing is taken, and you can try again.")),
        Ending("late", say("It succeeds late"), say("The confirmation takes a while, as with a bank transfer.")),
        Ending(
            "lost_answer",
            say("It succeeds, but the answer is lost"),
            say("As when the connection breaks while you pay."),
        ),
    ]
