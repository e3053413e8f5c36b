"""What an event asks, as fields of the form of a session: names on tickets, questions, and consents. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from fullhouse.events.form.rules import ANSWER_LENGTH_MAX, Form, Question
from fullhouse.infra.languages import Translator
from fullhouse.orders.persons.rules import Given, Holder
from fullhouse.orders.rules import NAME_LENGTH_MAX, Consent

TICKETS_MAX = 50
"""Of so many tickets at most names are asked on one page; whoever buys more gives them through the API."""


@dataclass(frozen=True, slots=True)
class Tickets:
    """So many tickets of one type that are asked for."""

    ticket_type_id: UUID
    name: str
    quantity: int


@dataclass(frozen=True, slots=True)
class AskedField:
    """A field as it stands in the form."""

    field: str
    label: str
    value: str
    required: bool
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TicketRow:
    """What is asked of one ticket."""

    title: str
    fields: tuple[AskedField, ...]


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """A text to agree to, with the version that is shown."""

    field: str
    version_field: str
    version: str
    text: str
    required: bool
    given: bool


@dataclass(frozen=True, slots=True)
class AskedRows:
    """All that the form asks besides tickets and contact."""

    questions: tuple[AskedField, ...]
    tickets: tuple[TicketRow, ...]
    consents: tuple[ConsentRow, ...]
    asks_later: bool
    """Whether more is asked once it is known how many tickets."""


def asked_rows(form: Form, tickets: Sequence[Tickets], fields: Mapping[str, str], speak: Translator) -> AskedRows:
    """Describe the fields, with what was entered before."""
    rows: list[TicketRow] = []
    if form.asks_each_ticket:
        for kind, number in _numbered(tickets):
            title = speak.gettext("%(name)s, ticket %(number)s", name=kind.name, number=number)
            rows.append(TicketRow(title, tuple(_of_ticket(form, kind, number, fields, speak))))
    return AskedRows(
        questions=tuple(_field(one, f"answer-{one.key}", fields) for one in form.questions_of("order")),
        tickets=tuple(rows),
        consents=tuple(
            ConsentRow(
                field=f"consent-{one.purpose}",
                version_field=f"version-{one.purpose}",
                version=one.text_version,
                text=one.text,
                required=one.required,
                given=fields.get(f"version-{one.purpose}") == one.text_version and f"consent-{one.purpose}" in fields,
            )
            for one in form.consents
        ),
        asks_later=form.asks_each_ticket and not rows,
    )


def is_shown(form: Form, tickets: Sequence[Tickets], fields: Mapping[str, str]) -> bool:
    """Say whether the form that was sent had a field for all that is asked of its tickets."""
    asked = [name for kind, number in _numbered(tickets) for name in _names(form, kind, number)]
    return not form.asks_each_ticket or all(name in fields for name in asked)


def read_given(
    form: Form, tickets: Sequence[Tickets], fields: Mapping[str, str], speak: Translator
) -> tuple[Given, list[tuple[str, str]]]:
    """Read what was given, and what is wrong with it: the field, and the words for whoever filled it in."""
    problems: list[tuple[str, str]] = []
    answers = _answers(form.questions_of("order"), "answer", fields, speak, problems)
    holders: list[Holder] = []
    if form.asks_each_ticket:
        for kind, number in _numbered(tickets):
            place = f"{kind.ticket_type_id}-{number}"
            name = _line(fields.get(f"holder-{place}", ""), NAME_LENGTH_MAX)
            if form.holders == "required" and not name:
                problems.append((f"holder-{place}", speak.gettext("Say who this ticket is for.")))
            of_ticket = _answers(form.questions_of("ticket"), f"answer-{place}", fields, speak, problems)
            holders.append(Holder(name, of_ticket, kind.ticket_type_id))
    consents = [
        Consent(one.purpose, fields.get(f"version-{one.purpose}", "")[:50] or "-")
        for one in form.consents
        if f"consent-{one.purpose}" in fields
    ]
    agreed = {consent.purpose for consent in consents}
    problems += [
        (f"consent-{one.purpose}", speak.gettext("Without agreeing to this the order cannot be placed."))
        for one in form.consents
        if one.required and one.purpose not in agreed
    ]
    return Given(tuple(holders), answers, tuple(consents)), problems


def _numbered(tickets: Sequence[Tickets]) -> list[tuple[Tickets, int]]:
    return [(kind, number) for kind in tickets for number in range(1, kind.quantity + 1)][:TICKETS_MAX]


def _names(form: Form, kind: Tickets, number: int) -> Iterator[str]:
    place = f"{kind.ticket_type_id}-{number}"
    if form.holders != "no":
        yield f"holder-{place}"
    for question in form.questions_of("ticket"):
        yield f"answer-{place}-{question.key}"


def _of_ticket(
    form: Form, kind: Tickets, number: int, fields: Mapping[str, str], speak: Translator
) -> Iterator[AskedField]:
    place = f"{kind.ticket_type_id}-{number}"
    if form.holders != "no":
        field, required = f"holder-{place}", form.holders == "required"
        yield AskedField(field, speak.gettext("Name"), fields.get(field, ""), required)
    for question in form.questions_of("ticket"):
        yield _field(question, f"answer-{place}-{question.key}", fields)


def _field(question: Question, field: str, fields: Mapping[str, str]) -> AskedField:
    return AskedField(field, question.text, fields.get(field, ""), question.required, question.choices)


def _answers(
    questions: Sequence[Question],
    place: str,
    fields: Mapping[str, str],
    speak: Translator,
    problems: list[tuple[str, str]],
) -> dict[str, str]:
    answers: dict[str, str] = {}
    for question in questions:
        field = f"{place}-{question.key}"
        answer = _line(fields.get(field, ""), ANSWER_LENGTH_MAX)
        if answer and question.choices and answer not in question.choices:
            problems.append((field, speak.gettext("Choose one of those that are offered.")))
        elif question.required and not answer:
            problems.append((field, speak.gettext("Please answer this.")))
        if answer:
            answers[question.key] = answer
    return answers


def _line(text: str, length_max: int) -> str:
    """Keep what can be read of a text that was typed."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()[:length_max].strip()
