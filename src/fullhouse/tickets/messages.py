"""What tickets announce, keyed by the order. Codes and names never travel: the ids lead to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypedDict
from uuid import UUID

from fullhouse.core.message import Id
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


class TicketVoided(TicketFact):
    """The tickets are valid no more."""

    type: ClassVar[str] = "ticket.voided"
