"""What the door announces, keyed by the order."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from fullhouse.core.json import Json


@dataclass(frozen=True, slots=True)
class TicketAdmitted:
    """Somebody entered with a ticket."""

    organization_id: UUID
    order_id: UUID
    ticket_id: UUID
    unit_id: UUID
    session_id: UUID
    entry_number: int
    gate: str | None
    recorded_at: datetime

    type: ClassVar[str] = "ticket.admitted"
    version: ClassVar[int] = 1

    @property
    def key(self) -> UUID:
        """Order by order."""
        return self.order_id

    def data(self) -> Mapping[str, Json]:
        """Return ids and when and where."""
        return {
            "order_id": str(self.order_id),
            "ticket_id": str(self.ticket_id),
            "unit_id": str(self.unit_id),
            "session_id": str(self.session_id),
            "entry_number": self.entry_number,
            "gate": self.gate,
            "recorded_at": self.recorded_at.isoformat(),
        }
