"""How tickets, and an order with its tickets, are shown: wire models that pages and other features answer with too."""

from typing import Literal
from uuid import UUID

from fullhouse.infra.http import ApiModel, Instant
from fullhouse.orders.answers import OrderAnswer, SeatAnswer
from fullhouse.orders.persons.rules import Answer
from fullhouse.orders.rules import Unit
from fullhouse.tickets.code import code_of
from fullhouse.tickets.describe_tickets import area_of, section_of, ticket_type_of
from fullhouse.tickets.load_sale import Sale
from fullhouse.tickets.rules import Mail, Ticket, TicketStatus, reference_of


class TicketAnswer(ApiModel):
    """A ticket. ``code`` is what its QR picture says; null once it is not valid any more."""

    id: UUID
    reference: str
    status: TicketStatus
    generation: int
    order_id: UUID
    event_id: UUID
    session_id: UUID
    unit_id: UUID
    ticket_type_id: UUID
    ticket_type: str
    price_category_id: UUID
    price_category: str
    section: str | None
    seat: SeatAnswer | None
    area: str | None
    holder: str | None
    price_minor: int
    paid_minor: int
    """What was paid for it in all, with its share of fees and taxes."""
    currency: str
    code: str | None
    issued_at: Instant
    ended_at: Instant | None


class MailProblemAnswer(ApiModel):
    """Why a mail did not arrive. ``is_permanent`` says that the address itself is wrong, or unwilling."""

    problem: Literal["refused", "bounced", "complained"]
    is_permanent: bool
    reason: str
    at: Instant


class MailAnswer(ApiModel):
    """A mail about an order. Without a problem, a mail server took it and has not complained since."""

    kind: str
    sent_at: Instant
    problem: MailProblemAnswer | None


class GivenAnswer(ApiModel):
    """An answer to a question of the event: of one ticket, or of the order where line and number are null."""

    line_number: int | None
    number: int | None
    question: str
    answer: str


class OrderWithTickets(OrderAnswer):
    """An order, with its tickets as soon as they exist, and the mails that were sent about it."""

    tickets: list[TicketAnswer]
    mails: list[MailAnswer]
    answers: list[GivenAnswer]
    """What was asked and answered; empty where it was erased."""


def given_answer(answer: Answer) -> GivenAnswer:
    """Show an answer."""
    return GivenAnswer(
        line_number=answer.line_number or None,
        number=answer.number or None,
        question=answer.question,
        answer=answer.answer,
    )


class ContactAnswer(ApiModel):
    """Where mails about the order go from now on; ``mails_tickets`` says whether its tickets are mailed there now."""

    email: str
    mails_tickets: bool


def mail_answer(mail: Mail) -> MailAnswer:
    """Show what became of a mail."""
    found = mail.problem and {
        "problem": mail.problem,
        "is_permanent": mail.problem_is_permanent,
        "reason": mail.problem_reason,
        "at": mail.problem_at,
    }
    problem = MailProblemAnswer.model_validate(found) if found else None
    return MailAnswer(kind=mail.kind.partition(":")[0], sent_at=mail.sent_at, problem=problem)


def ticket_answer(sale: Sale, server_key: bytes, ticket: Ticket, unit: Unit) -> TicketAnswer:
    """Show one ticket of a sale."""
    return TicketAnswer(
        id=ticket.ticket_id,
        reference=reference_of(ticket.ticket_id),
        status=ticket.status,
        generation=ticket.generation,
        order_id=ticket.order_id,
        event_id=ticket.event_id,
        session_id=ticket.session_id,
        unit_id=ticket.unit_id,
        ticket_type_id=unit.ticket_type_id,
        ticket_type=ticket_type_of(sale, unit),
        price_category_id=unit.price_category_id,
        price_category=sale.terms.category(unit.price_category_id).name,
        section=section_of(sale, unit) or None,
        seat=SeatAnswer(key=unit.seat.key, label=unit.seat.label) if unit.seat else None,
        area=area_of(sale, unit) or None,
        holder=sale.holder_of(unit),
        price_minor=unit.price_minor,
        paid_minor=unit.paid_minor,
        currency=sale.order.currency,
        code=code_of(server_key, ticket) if ticket.status is TicketStatus.VALID else None,
        issued_at=ticket.issued_at,
        ended_at=ticket.ended_at,
    )


def ticket_answers(sale: Sale, server_key: bytes) -> list[TicketAnswer]:
    """Show all tickets of a sale, valid or not."""
    return [ticket_answer(sale, server_key, ticket, unit) for ticket, unit in sale.tickets]
