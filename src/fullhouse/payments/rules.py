"""What payments, refunds and the ledger are; how a provider's word changes them. All decisions about money are here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from fullhouse.core.errors import Conflict, Invalid, Malformed, NotFound, TooLarge, Unavailable
from fullhouse.orders.rules import UNPAID, OrderStatus

TRIES_MAX = 3
"""How often a buyer may be declined before the places go back; once, where the session says so."""
ATTEMPTS_MAX = 20
"""How many attempts an order may have in all, cancelled ones included."""
REFUND_WAIT_SECONDS_MAX = 3600


class PaymentStatus(StrEnum):
    """How an attempt stands. ``RANKS`` orders them: a lower one never follows a higher one."""

    STARTED = "started"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    SUCCEEDED = "succeeded"


class ChargeStatus(StrEnum):
    """What a provider says of an attempt."""

    OPEN = "open"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    CAPTURED = "captured"


RANKS: Mapping[PaymentStatus, int] = {
    PaymentStatus.STARTED: 0,
    PaymentStatus.CANCELLED: 1,
    PaymentStatus.DECLINED: 2,
    PaymentStatus.SUCCEEDED: 3,
}
_MEANING: Mapping[ChargeStatus, PaymentStatus] = {
    ChargeStatus.OPEN: PaymentStatus.STARTED,
    ChargeStatus.CANCELLED: PaymentStatus.CANCELLED,
    ChargeStatus.DECLINED: PaymentStatus.DECLINED,
    ChargeStatus.CAPTURED: PaymentStatus.SUCCEEDED,
}


class RefundStatus(StrEnum):
    """``failed`` means that the provider refused for good: it is owed, and may be requested again.

    ``forfeited`` that it is owed no more, as a person has decided.
    """

    REQUESTED = "requested"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    FORFEITED = "forfeited"


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to take the money of an order."""

    organization_id: UUID
    payment_id: UUID
    order_id: UUID
    attempt: int
    provider: str
    status: PaymentStatus
    amount_minor: int
    currency: str
    provider_key: str
    provider_reference: str | None
    request: Mapping[str, Any]
    next_step: Mapping[str, Any] | None
    """What the buyer does next, as the provider said; None until it answered."""
    reason: str | None
    """Why the last try was declined, in a word of the port, where it was."""
    captured_minor: int
    capture_reference: str | None
    """The provider's name of the money that it took: what refunds and disputes are about."""
    started_at: datetime
    deadline_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Charge:
    """An attempt as the provider tells it: in a notice, or asked."""

    reference: str
    status: ChargeStatus
    captured_minor: int = 0
    reason: str | None = None
    """Why the last try was declined, in a word of the port. The attempt may stay open for another card."""
    capture_reference: str | None = None
    """The provider's name of the money it took. Two captures of one attempt have two."""


@dataclass(frozen=True, slots=True)
class Refund:
    """One wish to give back money of one payment."""

    organization_id: UUID
    refund_id: UUID
    order_id: UUID
    payment_id: UUID
    status: RefundStatus
    amount_minor: int
    currency: str
    reason: str
    provider_key: str
    """Sent with the call. A refund that failed and is requested again has a new one."""
    provider_reference: str | None
    past_references: tuple[str, ...]
    """What the provider called it when it failed, before it was requested again."""
    attempts: int
    last_error: str | None = None
    otherwise_reference: str | None = None
    """The number of the transfer or of the paper, where the buyer has the money otherwise than from the provider."""

    @property
    def is_over(self) -> bool:
        """Say whether nothing of it is owed any more."""
        return self.status in {RefundStatus.SUCCEEDED, RefundStatus.FORFEITED}


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a provider's word makes of a payment."""

    status: PaymentStatus
    captured_minor: int
    newly_captured_minor: int
    """Money that was not known before: it needs a place in the ledger, and tickets or a refund."""

    def changes(self, payment: Payment) -> bool:
        """Say whether anything is new."""
        return self.status is not payment.status or self.newly_captured_minor > 0


def settle(payment: Payment, charge: Charge) -> Settlement:
    """Decide what a provider's word changes.

    The higher rank wins and captured money never shrinks, so that any order and any duplication of the same words
    ends in the same state. Money that was captured stays captured when it is refunded; refunds are counted apart.
    """
    said = _MEANING[charge.status]
    status = said if RANKS[said] > RANKS[payment.status] else payment.status
    captured = max(payment.captured_minor, charge.captured_minor if charge.status is ChargeStatus.CAPTURED else 0)
    return Settlement(status, captured, captured - payment.captured_minor)


def may_seat(status: OrderStatus, total_minor: int, owed_minor: int) -> bool:
    """Say whether money that we owe the buyer pays for the order's places."""
    return status in UNPAID and owed_minor >= total_minor


def refund_reason(status: OrderStatus) -> str:
    """Name why money that bought nothing goes back, by how the order stands after it came."""
    if status is OrderStatus.PAID_UNSEATED:
        return "unseated"
    return "excess" if status not in UNPAID else "short"


def tries_max(*, release_on_decline: bool) -> int:
    """Say how often a buyer may be declined in this session."""
    return 1 if release_on_decline else TRIES_MAX


def count_declined(payments: Sequence[Payment]) -> int:
    """Count the tries that were used up."""
    return sum(1 for payment in payments if payment.status is PaymentStatus.DECLINED)


def open_payment(payments: Sequence[Payment]) -> Payment | None:
    """Find the attempt that has not ended."""
    return next((payment for payment in payments if payment.status is PaymentStatus.STARTED), None)


def refuse_new_attempt(payments: Sequence[Payment], declined_max: int) -> None:
    """Raise what tells the buyer why no other attempt may begin now."""
    running = open_payment(payments)
    if running is not None:
        raise PaymentOpen(
            payment_id=str(running.payment_id),
            deadline_at=running.deadline_at.isoformat(),
            next_step=running.next_step,
        )
    if count_declined(payments) >= declined_max or len(payments) >= ATTEMPTS_MAX:
        declined = [one.reason for one in payments if one.status is PaymentStatus.DECLINED]
        raise PaymentDeclined(tries_left=0, reason=declined[-1] if declined else None)


def retry_seconds(attempts: int) -> int:
    """Say how long to wait after so many failed tries of a refund: 10 s, doubled each time, up to an hour."""
    return min(REFUND_WAIT_SECONDS_MAX, 10 * 2 ** min(attempts, 10))


class PaymentNotFound(NotFound):
    """There is no such payment."""

    code = "payment_not_found"
    title = "There is no such payment."


class ProviderUnknown(Invalid):
    """No such provider is offered; ``errors`` names the field."""

    code = "provider_unknown"
    title = "This way to pay is not offered."


class PaymentOpen(Conflict):
    """An attempt has not ended; ``payment_id``, ``deadline_at`` and ``next_step`` say how to go on with it."""

    code = "payment_open"
    title = "A payment of this order is still open."


class PaymentDeclined(Conflict):
    """All tries were declined; ``tries_left`` is 0, ``reason`` is the last one's, and the places go back on sale."""

    code = "payment_declined"
    title = "The payments of this order were declined."


class PaymentsBusy(Unavailable):
    """Too many wait to start a payment in this process."""

    code = "payments_busy"
    title = "Too many are paying at this moment; try again."


class RefundTooLarge(Conflict):
    """More than is left of what was paid; ``refundable_minor`` says how much that is."""

    code = "refund_too_large"
    title = "This is more than is left to refund."


class RefundNotFound(NotFound):
    """There is no such refund."""

    code = "refund_not_found"
    title = "There is no such refund."


class RefundNotFailed(Conflict):
    """Only a refund that failed can be requested again; ``refund_status`` says where it stands."""

    code = "refund_not_failed"
    title = "This refund has not failed."


class NoticeRefused(Malformed):
    """A notice has no valid signature, is too old, or cannot be read."""

    code = "notice_refused"
    title = "This notice was not signed by the provider, is too old, or cannot be read."


class NoticeTooLarge(TooLarge):
    """A notice is larger than any provider sends."""

    code = "notice_too_large"


class ProviderNotFound(NotFound):
    """No such provider is offered."""

    code = "provider_not_found"
    title = "There is no such provider here."


class ProviderUnavailable(Unavailable):
    """The provider could not be reached or did not answer: what became of the call is not known."""

    code = "provider_unavailable"
    title = "The payment provider cannot be reached for the moment."


class ProviderRefused(Conflict):
    """The provider refused for good: the same call will be refused again."""

    code = "provider_refused"
    title = "The payment provider refused."
