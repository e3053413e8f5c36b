"""What Stripe is asked for: of what never changes, since a key that is repeated must come with the same. Pure."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from fullhouse.payments.providers.port import Attempt, RefundCall
from fullhouse.payments.providers.stripe_amounts import to_stripe
from fullhouse.payments.providers.stripe_news import ORGANIZATION_KEY, PAYMENT_KEY, REFUND_KEY


def session_params(attempt: Attempt, public_url: str) -> dict[str, Any]:
    """Ask for a Checkout session that ends with the attempt. Cards alone: other ways may take days to decide.

    The pages that Stripe leads back to do not carry the order's secret, which is nobody's but the buyer's.
    """
    item: dict[str, Any] = {
        "currency": attempt.currency.lower(),
        "unit_amount": to_stripe(attempt.amount_minor, attempt.currency),
        "product_data": {"name": f"Order {order_number(attempt.order_id)}"},
    }
    back = f"{public_url}/payments/{attempt.payment_id}/return"
    return {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": item}],
        "payment_method_types": ["card"],
        "adaptive_pricing": {"enabled": False},
        "client_reference_id": str(attempt.payment_id),
        "expires_at": int(attempt.deadline_at.timestamp()),
        "success_url": back,
        "cancel_url": back,
        "metadata": _metadata(attempt),
        "payment_intent_data": {"metadata": _metadata(attempt)},
    }


def intent_params(attempt: Attempt) -> dict[str, Any]:
    """Ask for a payment intent, which a page of one's own confirms."""
    return {
        "amount": to_stripe(attempt.amount_minor, attempt.currency),
        "currency": attempt.currency.lower(),
        "payment_method_types": ["card"],
        "metadata": _metadata(attempt),
    }


def refund_params(call: RefundCall, intent: str) -> dict[str, Any]:
    """Ask for money of an intent to go back."""
    return {
        "payment_intent": intent,
        "amount": to_stripe(call.amount_minor, call.currency),
        "metadata": {
            REFUND_KEY: str(call.refund_id),
            PAYMENT_KEY: str(call.charge.payment_id),
            ORGANIZATION_KEY: str(call.charge.organization_id),
        },
    }


def order_number(order_id: UUID) -> str:
    """Write the number of an order as its page shows it: the random end of its id in three groups."""
    digits = order_id.hex[-12:].upper()
    return "-".join((digits[:4], digits[4:8], digits[8:]))


def _metadata(attempt: Attempt) -> dict[str, str]:
    return {
        PAYMENT_KEY: str(attempt.payment_id),
        ORGANIZATION_KEY: str(attempt.organization_id),
        "fullhouse_order_id": str(attempt.order_id),
    }


def span_of(attempt: Attempt) -> dict[str, int]:
    """Say when what was made for an attempt can have been made, as lists are asked for; clocks differ a little."""
    since = attempt.started_at - timedelta(minutes=5)
    return {"gte": int(since.timestamp()), "lte": int(attempt.deadline_at.timestamp())}
