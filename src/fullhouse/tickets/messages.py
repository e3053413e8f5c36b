"""What tickets announce, keyed by the order. Codes and names never travel: the ids lead to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from fullhouse.core.json import Json
from fullhouse.tickets.rules import Ticket


@dataclass(frozen=True, slots=True)
class TicketFact:
    """A fact about tickets of one order; there is at least one."""

    tickets: Sequence[Ticket]

    version: ClassVar[int] = 1

    @property
    def organization_id(self) -> UUID:
        """Whose tickets they are."""
        return self.tickets[0].organization_id

    @property
    def key(self) -> UUID:
        """Order by order."""
        return self.tickets[0].order_id

    def data(self) -> Mapping[str, Json]:
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
