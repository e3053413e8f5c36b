"""What tickets announce, keyed by the order. Codes and names never travel: the ids lead to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypedDict
from uuid import UUID

from fullhouse.core.message import Id
from fullhouse.identity.messages import NOBODYS_ID
from fullhouse.tickets.rules import Ticket


class TicketData(TypedDict):
    """One ticket. A unit's next ticket has the next generation."""

    ticket_id: Id
    unit_id: Id
    generation: int


class TicketsData(TypedDict):
    """The ids that lead to everything else."""

    order_id: Id
    event_id: Id
    session_id: Id
    tickets: list[TicketData]


@dataclass(frozen=True, slots=True)
class TicketFact:
    """A fact about tickets of one order; there is at least one."""

    tickets: Sequence[Ticket]

    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = True

    @property
    def organization_id(self) -> UUID:
        """Whose tickets they are."""
        return self.tickets[0].organization_id

    @property
    def key(self) -> UUID:
        """Order by order."""
        return self.tickets[0].order_id

    def data(self) -> TicketsData:
        """Return the ids that lead to everything else."""
        first = self.tickets[0]
        return {
            "order_id": str(first.order_id),
            "event_id": str(first.event_id),
            "session_id": str(first.session_id),
            "tickets": [
                {"ticket_id": str(ticket.ticket_id), "unit_id": str(ticket.unit_id), "generation": ticket.generation}
                for ticket in self.tickets
            ],
        }


class TicketIssued(TicketFact):
    """The tickets exist and are valid; documents and mail follow."""

    type: ClassVar[str] = "ticket.issued"


class LinksData(TypedDict):
    """Where the address is found."""

    request_id: Id


@dataclass(frozen=True, slots=True)
class OrderLinksRequested:
    """Somebody wants the links to the orders of an address; whether it has any, the worker finds out."""

    request_id: UUID

    type: ClassVar[str] = "order.links_requested"
    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = False

    @property
    def organization_id(self) -> UUID:
        """Nobody's: an address may have orders of several."""
        return NOBODYS_ID

    @property
    def key(self) -> UUID:
        """Requests need no order among themselves."""
        return self.request_id

    def data(self) -> LinksData:
        """Name the row."""
        return {"request_id": str(self.request_id)}


class TicketVoided(TicketFact):
    """The tickets are valid no more."""

    type: ClassVar[str] = "ticket.voided"


class MailRequestedData(TypedDict):
    """Which order's valid tickets are to be mailed once more; the number tells this mail from others about it."""

    order_id: Id
    number: int


@dataclass(frozen=True, slots=True)
class TicketMailRequested:
    """The tickets of an order are to be mailed again. Nobody but the workers hears of it."""

    organization_id: UUID
    order_id: UUID
    number: int

    type: ClassVar[str] = "ticket.mail_requested"
    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = True

    @property
    def key(self) -> UUID:
        """The order."""
        return self.order_id

    def data(self) -> MailRequestedData:
        """Return the order and the number of the mail."""
        return {"order_id": str(self.order_id), "number": self.number}
