"""What is left to give back of the payments of an order, and how an amount is spread over them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from fullhouse.core.errors import Conflict
from fullhouse.payments.rules import RefundTooLarge


class PaymentDisputed(Conflict):
    """The buyer's bank has asked for this money; ``refundable_minor`` says how much it has not."""

    code = "payment_disputed"
    title = "This money stands in a dispute: what becomes of it is decided there."


@dataclass(frozen=True, slots=True)
class Refundable:
    """What is left to give back of one payment."""

    payment_id: UUID
    amount_minor: int
    disputed_minor: int = 0
    """What would be left beside that, were it not in a dispute."""


def split_refund(amount_minor: int, refundable: Sequence[Refundable]) -> list[Refundable]:
    """Spread an amount over payments, in their order, each as far as it reaches; the parts sum to the amount.

    Raises ``RefundTooLarge``, and ``PaymentDisputed`` where it is a dispute that has the rest.
    """
    parts: list[Refundable] = []
    left = amount_minor
    for payment in refundable:
        part = min(left, payment.amount_minor)
        if part > 0:
            parts.append(Refundable(payment.payment_id, part))
            left -= part
    if left and left <= sum(payment.disputed_minor for payment in refundable):
        raise PaymentDisputed(amount_minor=amount_minor, refundable_minor=amount_minor - left)
    if left:
        raise RefundTooLarge(amount_minor=amount_minor, refundable_minor=amount_minor - left)
    return parts
