"""What the door announces, keyed by the order."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, TypedDict
from uuid import UUID

from fullhouse.core.message import Id, Instant


class AdmissionData(TypedDict):
    """Ids, and when and where."""

    order_id: Id
    ticket_id: Id
    unit_id: Id
    session_id: Id
    entry_number: int
    gate: str | None
    recorded_at: Instant


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
    key_waits: ClassVar[bool] = False

    @property
    def key(self) -> UUID:
        """Order by order."""
        return self.order_id

    def data(self) -> AdmissionData:
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
