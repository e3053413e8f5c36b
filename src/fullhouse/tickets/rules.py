"""What a ticket is, what is printed on it, and how it is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from fullhouse.core.errors import Conflict, NotFound
from fullhouse.orders.rules import OrderStatus

PDF_TYPE = "application/pdf"


class TicketStatus(StrEnum):
    """Whether the door may let a ticket in. Being admitted is no state of a ticket but a line in the door's log."""

    VALID = "valid"
    VOID = "void"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Ticket:
    """The document of a unit. Of all generations of a unit at most one is valid."""

    organization_id: UUID
    ticket_id: UUID
    event_id: UUID
    session_id: UUID
    order_id: UUID
    unit_id: UUID
    generation: int
    status: TicketStatus
    key_id: int
    issued_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class TicketKey:
    """A public key that an organization's codes are verified with. A retired one signs no more, but verifies."""

    key_id: int
    public_key: bytes
    retired: bool


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail about an order, and what is known to have become of it. Without a problem, the server took it."""

    kind: str
    sent_at: datetime
    problem: str | None
    problem_is_permanent: bool | None
    problem_reason: str | None
    problem_at: datetime | None


@dataclass(frozen=True, slots=True)
class TicketFace:
    """What one ticket says, ready to be printed."""

    ticket_id: UUID
    reference: str
    """A short form of the id, to read out over a telephone."""
    place: tuple[tuple[str, str], ...]
    """At most two pairs of a label and where to go: section and seat, area, or price category."""
    ticket_type: str
    price: str
    holder: str
    number: str
    code: str


@dataclass(frozen=True, slots=True)
class Document:
    """The tickets of an order as they are printed together, in the words of one language."""

    language: str
    """As in HTML: ``en``, ``pt-BR``."""
    title: str
    organization: str
    event: str
    session: str
    date: str
    time: str
    time_zone: str
    location: str
    labels: Mapping[str, str]
    tickets: tuple[TicketFace, ...]
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class OrderSummary:
    """What a list of orders says of one; ``event`` and ``session`` are their names."""

    organization_id: UUID
    organization: str
    order_id: UUID
    status: OrderStatus
    total_minor: int
    currency: str
    placed_at: datetime
    event_id: UUID
    event: str
    location: str
    session_id: UUID
    session: str
    starts_at: datetime
    time_zone: str
    ticket_count: int
    """Of those that the door would let in."""


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """Somebody wants the links to the orders of an address mailed there."""

    request_id: UUID
    email: str
    language: str
    created_at: datetime


class TicketNotFound(NotFound):
    """There is no such ticket, or the secret does not open its order."""

    code = "ticket_not_found"
    title = "There is no such ticket."


class TicketNotValid(Conflict):
    """The ticket is void or replaced, so it has no code any more; ``ticket_status`` says which."""

    code = "ticket_not_valid"
    title = "This ticket is not valid any more."


class NoValidTickets(NotFound):
    """The order has no valid ticket: it is not paid, its tickets are still being made, or all are void."""

    code = "no_valid_tickets"
    title = "This order has no valid tickets."


def reference_of(ticket_id: UUID) -> str:
    """Write the last twelve digits of an id, which are its random end, in three groups: ``7F3A-22C1-90DE``."""
    digits = ticket_id.hex[-12:].upper()
    return "-".join((digits[:4], digits[4:8], digits[8:]))
