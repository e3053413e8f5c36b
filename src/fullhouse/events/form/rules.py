"""What an event asks of its buyers, in versions: what was asked stays readable beside what was answered. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fullhouse.core.errors import invalid_field

QUESTIONS_MAX = 20
CONSENTS_MAX = 10
CHOICES_MAX = 50
ANSWER_LENGTH_MAX = 1000

Asks = Literal["no", "optional", "required"]
"""Whether each ticket is asked for the name of its holder."""

Scope = Literal["order", "ticket"]


@dataclass(frozen=True, slots=True)
class Question:
    """A question, once for the order or once for each ticket. With choices, the answer is one of them."""

    key: str
    text: str
    scope: Scope = "order"
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConsentText:
    """What a buyer may agree to, or must. ``text_version`` is that of the form in which the text first stood."""

    purpose: str
    text: str
    required: bool = False
    text_version: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """All that an event asks. Version 0 is that of an event that never asked anything."""

    version: int = 0
    holders: Asks = "no"
    questions: tuple[Question, ...] = ()
    consents: tuple[ConsentText, ...] = ()

    def questions_of(self, scope: Scope) -> tuple[Question, ...]:
        """Return the questions for the order, or for each ticket."""
        return tuple(question for question in self.questions if question.scope == scope)

    @property
    def asks_each_ticket(self) -> bool:
        """Say whether there is anything to say of each ticket."""
        return self.holders != "no" or bool(self.questions_of("ticket"))


NOTHING = Form()


def next_form(present: Form, wanted: Form) -> Form:
    """Return a form as the version after the present one; a text that stays as it was keeps its version.

    Raises ``Invalid`` for a key or purpose that is there twice.
    """
    _once("questions", [question.key for question in wanted.questions])
    _once("consents", [consent.purpose for consent in wanted.consents])
    version = present.version + 1
    known = {(consent.purpose, consent.text): consent.text_version for consent in present.consents}
    consents = tuple(
        replace(consent, text_version=known.get((consent.purpose, consent.text), str(version)))
        for consent in wanted.consents
    )
    return replace(wanted, version=version, consents=consents)


def _once(field: str, names: Sequence[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise invalid_field(field, f"{twice} is there twice.")
