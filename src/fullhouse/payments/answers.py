"""What is shown of payments and refunds."""

from typing import Any
from uuid import UUID

from fullhouse.infra.http import ApiModel, Instant
from fullhouse.payments.rules import Payment, PaymentStatus, Refund, RefundStatus


class PaymentAnswer(ApiModel):
    """One attempt to pay. ``next_step`` says what the buyer does.

    ``{"type": "wait"}`` means that news will come; ``{"type": "redirect", "url": …}`` leads to the provider's page.
    ``reason`` says why the last card was declined; while the attempt is open, another one can be tried.
    """

    id: UUID
    order_id: UUID
    attempt: int
    provider: str
    status: PaymentStatus
    amount_minor: int
    currency: str
    next_step: dict[str, Any] | None
    reason: str | None
    started_at: Instant
    deadline_at: Instant


class RefundAnswer(ApiModel):
    """Money on its way back."""

    id: UUID
    order_id: UUID
    payment_id: UUID
    status: RefundStatus
    amount_minor: int
    currency: str
    reason: str


class PaymentsAnswer(ApiModel):
    """The payments of an order by attempt, and its refunds."""

    items: list[PaymentAnswer]
    refunds: list[RefundAnswer]


def payment_answer(payment: Payment, *, to_holder: bool = True) -> PaymentAnswer:
    """Show one payment. Until the provider answered, the next step is to wait.

    The next step may hold a secret with which to pay: members see of which kind it is, and no more.
    """
    step = dict(payment.next_step or {"type": "wait"})
    shown = step if to_holder else {"type": step["type"]}
    return PaymentAnswer(
        id=payment.payment_id,
        order_id=payment.order_id,
        attempt=payment.attempt,
        provider=payment.provider,
        status=payment.status,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        next_step=shown if payment.status is PaymentStatus.STARTED else None,
        reason=payment.reason,
        started_at=payment.started_at,
        deadline_at=payment.deadline_at,
    )


def refund_answer(refund: Refund) -> RefundAnswer:
    """Show one refund."""
    return RefundAnswer(
        id=refund.refund_id,
        order_id=refund.order_id,
        payment_id=refund.payment_id,
        status=refund.status,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        reason=refund.reason,
    )
