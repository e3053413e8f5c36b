"""What is given with an order, checked against what its event asks. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from fullhouse.core.errors import Conflict, Invalid
from fullhouse.core.json import Json
from fullhouse.events.form.rules import ANSWER_LENGTH_MAX, Form, Question
from fullhouse.orders.lines import NewUnit
from fullhouse.orders.rules import Consent

Problem = tuple[str, str]
"""Where it is, as a path into the body (``holders.0.name``), and what is wrong."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who one ticket is for, with their answers by the keys of the questions."""

    name: str = ""
    answers: Mapping[str, str] = field(default_factory=dict[str, str])
    ticket_type_id: UUID | None = None
    """Of which type the ticket is; None: of whatever type comes next."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a buyer gives with an order, besides who they are."""

    holders: tuple[Holder, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict[str, str])
    consents: tuple[Consent, ...] = ()


NOTHING_GIVEN = Given()


@dataclass(frozen=True, slots=True)
class OfUnit:
    """A holder beside the unit that is theirs: the line of the order, and the number in it."""

    line_number: int
    number: int
    holder: Holder


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it is kept; line and number are 0 where it is the whole order's."""

    line_number: int
    number: int
    question: str
    answer: str


class FormChanged(Conflict):
    """What the buyer agreed to is not the present text; ``form_version`` is that of the form to show them."""

    code = "form_changed"
    title = "What this event asks has changed; look at it again."


def check_given(form: Form, given: Given, units: Sequence[tuple[UUID, int]]) -> None:
    """Refuse what is missing, or was not asked for. ``units`` counts what is ordered of each ticket type.

    An event that never asked anything takes names and consents as its seller asks for them, and no answers. Raises
    ``Invalid``, which names each field, and ``FormChanged``.
    """
    shown = {consent.purpose: consent for consent in form.consents}
    for consent in given.consents:
        known = shown.get(consent.purpose)
        if known is not None and known.text_version != consent.text_version:
            raise FormChanged(form_version=form.version)
    problems = [*_of_answers(form.questions_of("order"), given.answers, "answers")]
    agreed = {consent.purpose for consent in given.consents}
    needed = [consent.purpose for consent in form.consents if consent.required]
    problems += [("consents", f"{purpose} is needed.") for purpose in needed if purpose not in agreed]
    problems += _of_holders(form, given.holders, units)
    if problems:
        errors: list[Json] = [{"field": place, "message": message} for place, message in problems[:20]]
        raise Invalid(f"{problems[0][0]}: {problems[0][1]}", errors=errors)


def _of_holders(form: Form, holders: Sequence[Holder], units: Sequence[tuple[UUID, int]]) -> Iterator[Problem]:
    questions = form.questions_of("ticket")
    needed = sum(count for _, count in units)
    must = form.holders == "required" or any(question.required for question in questions)
    if len(holders) > needed or (must and len(holders) != needed):
        yield "holders", f"Name one for each of the {needed} tickets."
        return
    left: dict[UUID, int] = {}
    for kind, count in units:
        left[kind] = left.get(kind, 0) + count
    for kind, wanted in _counts(holders).items():
        if wanted > left.get(kind, 0):
            yield "holders", "There are more of a ticket type than are ordered."
    for index, holder in enumerate(holders):
        if form.holders == "required" and not holder.name:
            yield f"holders.{index}.name", "A name is needed."
        yield from _of_answers(questions, holder.answers, f"holders.{index}.answers")


def _counts(holders: Sequence[Holder]) -> dict[UUID, int]:
    counts: dict[UUID, int] = {}
    for holder in holders:
        if holder.ticket_type_id is not None:
            counts[holder.ticket_type_id] = counts.get(holder.ticket_type_id, 0) + 1
    return counts


def _of_answers(questions: Sequence[Question], answers: Mapping[str, str], place: str) -> Iterator[Problem]:
    asked = {question.key: question for question in questions}
    for key, answer in answers.items():
        question = asked.get(key)
        if question is None:
            yield f"{place}.{key}", "This is not asked."
        elif len(answer) > ANSWER_LENGTH_MAX:
            yield f"{place}.{key}", f"At most {ANSWER_LENGTH_MAX} characters."
        elif answer and question.choices and answer not in question.choices:
            yield f"{place}.{key}", "Choose one of those that are offered."
    for question in questions:
        if question.required and not answers.get(question.key, "").strip():
            yield f"{place}.{question.key}", "An answer is needed."


def assign(holders: Sequence[Holder], units: Sequence[NewUnit]) -> tuple[OfUnit, ...]:
    """Give each holder a unit: the next that is of their ticket type, or of any where they name none."""
    free = list(units)
    found: list[OfUnit] = []
    for holder in sorted(holders, key=lambda one: one.ticket_type_id is None):
        wanted = holder.ticket_type_id
        unit = next(unit for unit in free if wanted is None or unit.item.ticket_type_id == wanted)
        free.remove(unit)
        found.append(OfUnit(unit.line_number, unit.number, holder))
    return tuple(found)


def answers_of(given: Given, holders: Sequence[OfUnit]) -> tuple[Answer, ...]:
    """List all answers that say something, as they are kept."""
    of_order = [Answer(0, 0, key, answer.strip()) for key, answer in given.answers.items()]
    of_units = [
        Answer(one.line_number, one.number, key, answer.strip())
        for one in holders
        for key, answer in one.holder.answers.items()
    ]
    return tuple(answer for answer in (*of_order, *of_units) if answer.answer)
