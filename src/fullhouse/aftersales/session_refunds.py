"""What a refund of a whole session is, how far it has come, and how it is refused. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from fullhouse.core.errors import Conflict, NotFound


class SessionRefundReason(StrEnum):
    """Why a session's orders are refunded; the same word stands with each of their refunds."""

    CANCELLED = "session_cancelled"
    MOVED = "session_moved"


@dataclass(frozen=True, slots=True)
class SessionRefund:
    """A refund of all that was sold of a session. It ends when none of its orders waits."""

    organization_id: UUID
    session_refund_id: UUID
    session_id: UUID
    reason: SessionRefundReason
    return_stock: bool
    requested_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it has come: orders by what became of them, and the money of those that are done at its providers."""

    orders_waiting: int
    orders_done: int
    orders_failed: int
    refunds_requested: int
    refunds_succeeded: int
    refunds_failed: int
    amount_minor: int
    """What the orders that are done give back."""

    @property
    def order_count(self) -> int:
        """All orders."""
        return self.orders_waiting + self.orders_done + self.orders_failed

    @property
    def is_over(self) -> bool:
        """Say whether nothing is under way any more."""
        return not self.orders_waiting and not self.refunds_requested


@dataclass(frozen=True, slots=True)
class RefundFailure:
    """An order that could not be refunded, or a refund of one that its provider refused."""

    order_id: UUID
    refund_id: UUID | None
    code: str
    detail: str


class SessionStands(Conflict):
    """Only what was cancelled, postponed or moved is refunded as a whole; ``session_status`` says what it is."""

    code = "session_stands"
    title = "This session takes place as it was sold; cancel, postpone or move it first."


class SessionRefundNotFound(NotFound):
    """Nobody has asked for a refund of this session."""

    code = "session_refund_not_found"
    title = "No refund of this session was asked for."
