"""What Stripe's objects say, in our words. Pure: it reads JSON, wherever it came from.

Of a notice nothing is kept but what is read here: no name, no address, no secret of an intent.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from fullhouse.payments.news import DisputeNews, DisputeStatus, News, RefundNews, Told
from fullhouse.payments.providers.port import Notice
from fullhouse.payments.providers.stripe_amounts import from_stripe
from fullhouse.payments.rules import Charge, ChargeStatus, RefundStatus

Body = Mapping[str, Any]

PAYMENT_KEY = "fullhouse_payment_id"
ORGANIZATION_KEY = "fullhouse_organization_id"
REFUND_KEY = "fullhouse_refund_id"
_KEYS = (PAYMENT_KEY, ORGANIZATION_KEY, REFUND_KEY)
"""What we write into Stripe's metadata, and find again."""

EVENTS = (
    "checkout.session.completed",
    "checkout.session.expired",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)
"""What an endpoint at Stripe has to be subscribed to."""

LATER_EVENTS = tuple(
    kind for kind in EVENTS if kind.startswith(("refund.", "charge.dispute.")) and not kind.endswith(".created")
)
"""What becomes of refunds and disputes days or months after they were made, when no list of a day shows them."""

_KEPT = (
    "id",
    "object",
    "status",
    "payment_status",
    "amount",
    "amount_total",
    "amount_received",
    "currency",
    "reason",
    "failure_reason",
)
"""What is kept of the object that a notice shows, beside whose it is, why a card was declined and what was taken."""

_REASONS: Mapping[str, str] = {
    "insufficient_funds": "insufficient_funds",
    "expired_card": "card_expired",
    "incorrect_cvc": "card_details_wrong",
    "incorrect_number": "card_details_wrong",
    "incorrect_zip": "card_details_wrong",
    "invalid_cvc": "card_details_wrong",
    "invalid_expiry_month": "card_details_wrong",
    "invalid_expiry_year": "card_details_wrong",
    "invalid_number": "card_details_wrong",
    "authentication_required": "authentication_failed",
    "payment_intent_authentication_failure": "authentication_failed",
    "processing_error": "try_again_later",
    "try_again_later": "try_again_later",
    "issuer_not_available": "try_again_later",
    "amount_too_large": "amount_not_possible",
    "amount_too_small": "amount_not_possible",
    "invalid_charge_amount": "amount_not_possible",
}
_REFUND_STATUS: Mapping[str, RefundStatus] = {
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}
_DISPUTE_STATUS: Mapping[str, DisputeStatus] = {
    "won": DisputeStatus.WON,
    "warning_closed": DisputeStatus.WON,
    "prevented": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
}


def declined_because(error: Body | None) -> str | None:
    """Translate the error of a try. What banks do not explain, or only hint at, is ``card_declined``."""
    if not error:
        return None
    codes = (str(error.get("decline_code")), str(error.get("code")))
    return next((_REASONS[code] for code in codes if code in _REASONS), "card_declined")


def json_of(thing: Any) -> Body:  # noqa: ANN401 (any of the library's objects)
    """Return one of the library's objects as JSON."""
    return cast("Body", thing.to_dict())


def said_in(error: Any) -> str:  # noqa: ANN401 (any of the library's errors)
    """Return what an error says to people, or else its name."""
    return str(error.user_message or type(error).__name__)[:300]


def error_in(body: object) -> Mapping[str, Any]:
    """Return the error that an answer holds."""
    return cast("Mapping[str, Mapping[str, Any]]", body or {}).get("error") or {}


def refused_because(code: str | None) -> str:
    """Translate the error of a call that Stripe did not carry out."""
    return _REASONS.get(str(code), "not_possible")


def reference_of(thing: object) -> str | None:
    """Return the id of what Stripe names or, where it was asked to, writes out."""
    if isinstance(thing, Mapping):
        return str(thing["id"])  # pyright: ignore[reportUnknownArgumentType] (JSON)
    return str(thing) if thing else None


def charge_of_session(session: Body) -> Charge:
    """Read a Checkout session. A card that was declined leaves it open: the buyer tries another on the same page."""
    status, paid = session["status"], session["payment_status"] in {"paid", "no_payment_required"}
    intent: Body | None = session["payment_intent"] if isinstance(session.get("payment_intent"), Mapping) else None
    if status == "complete" and paid:
        captured = from_stripe(session["amount_total"], session["currency"])
        capture = reference_of(session.get("payment_intent"))
        return Charge(session["id"], ChargeStatus.CAPTURED, captured, capture_reference=capture)
    if status == "expired":
        return Charge(session["id"], ChargeStatus.CANCELLED)
    reason = declined_because(intent.get("last_payment_error")) if intent else None
    failed = intent is not None and intent["status"] in {"requires_payment_method", "canceled"}
    if status == "complete" and failed:
        return Charge(session["id"], ChargeStatus.DECLINED, reason=reason or "card_declined")
    return Charge(session["id"], ChargeStatus.OPEN, reason=reason)


def charge_of_intent(intent: Body) -> Charge:
    """Read a payment intent. After a decline it waits for another card; it ends when it is paid or cancelled."""
    if intent["status"] == "canceled":
        return Charge(intent["id"], ChargeStatus.CANCELLED)
    if intent["status"] == "succeeded":
        captured = from_stripe(intent.get("amount_received", intent["amount"]), intent["currency"])
        return Charge(intent["id"], ChargeStatus.CAPTURED, captured, capture_reference=intent["id"])
    reason = declined_because(intent.get("last_payment_error"))
    return Charge(intent["id"], ChargeStatus.OPEN, reason=reason)


def charge_of_charge(charge: Body) -> Charge:
    """Read one of Stripe's charges that was captured, as its books list them."""
    intent = reference_of(charge["payment_intent"]) or str(charge["id"])
    captured = from_stripe(charge["amount_captured"], charge["currency"])
    return Charge(intent, ChargeStatus.CAPTURED, captured, capture_reference=intent)


def news_of_refund(refund: Body) -> RefundNews:
    """Read a refund. One without our id was made in Stripe's own pages."""
    return RefundNews(
        reference=refund["id"],
        status=_REFUND_STATUS.get(refund["status"], RefundStatus.REQUESTED),
        amount_minor=from_stripe(refund["amount"], refund["currency"]),
        refund_id=uuid_in(refund, REFUND_KEY),
        reason=refund.get("failure_reason"),
    )


def news_of_dispute(dispute: Body) -> DisputeNews:
    """Read a dispute. An inquiry (``warning_…``) takes no money away."""
    return DisputeNews(
        reference=dispute["id"],
        status=_DISPUTE_STATUS.get(dispute["status"], DisputeStatus.OPENED),
        amount_minor=from_stripe(dispute["amount"], dispute["currency"]),
        withdrawn=bool(dispute.get("balance_transactions")),
        reason=dispute.get("reason"),
    )


def news_in(event: Body) -> News | None:
    """Read an event; None for one that tells nothing about money of ours."""
    kind, thing = str(event["type"]), event["data"]["object"]
    if kind == "checkout.session.async_payment_failed":
        return Charge(thing["id"], ChargeStatus.DECLINED, reason="card_declined")
    if kind not in EVENTS:
        return None
    if kind.startswith("checkout.session."):
        return charge_of_session(thing)
    if kind.startswith("payment_intent."):
        return charge_of_intent(thing)
    return news_of_dispute(thing) if kind.startswith("charge.dispute.") else news_of_refund(thing)


def notice_in(event: Body, organization_id: UUID | None) -> Notice | None:
    """Find what a verified event is about; None for what is none of ours.

    Refunds that were made in Stripe's pages, and disputes, carry no id of ours: they name the intent.
    """
    kind, thing = str(event["type"]), event["data"]["object"]
    payment_id = uuid_in(thing, PAYMENT_KEY)
    if kind not in EVENTS or uuid_in(thing, ORGANIZATION_KEY) not in {None, organization_id}:
        return None
    if payment_id is not None:
        return Notice(str(event["id"]), payment_id, kept_of(event))
    intent = reference_of(thing.get("payment_intent"))
    if intent is None or kind.startswith("checkout."):
        return None
    return Notice(str(event["id"]), None, kept_of(event), intent)


def kept_of(event: Body) -> dict[str, Any]:
    """Write an event anew with what ``news_in`` reads, and nothing of who paid."""
    thing: Body = event["data"]["object"]
    kept = {name: thing[name] for name in _KEPT if name in thing}
    if "payment_intent" in thing:
        kept["payment_intent"] = reference_of(thing["payment_intent"])
    if error := thing.get("last_payment_error"):
        kept["last_payment_error"] = {name: error.get(name) for name in ("code", "decline_code")}
    if taken := thing.get("balance_transactions"):
        kept["balance_transactions"] = [{"amount": one.get("amount")} for one in taken]
    ours = {name: str(found) for name in _KEYS if (found := uuid_in(thing, name))}
    return {"id": event["id"], "type": event["type"], "data": {"object": kept | {"metadata": ours}}}


def told_by(charges: Sequence[Body], refunds: Sequence[Body], disputes: Sequence[Body]) -> list[Told]:
    """Read what Stripe's lists say: the charges that are ours and took money, and all refunds and disputes."""
    taken = [one for one in charges if one["paid"] and one["captured"] and uuid_in(one, PAYMENT_KEY)]
    return [
        *(Told(charge_of_charge(one), uuid_in(one, PAYMENT_KEY)) for one in taken),
        *(Told(news_of_refund(one), uuid_in(one, PAYMENT_KEY), reference_of(one["payment_intent"])) for one in refunds),
        *(Told(news_of_dispute(one), None, reference_of(one["payment_intent"])) for one in disputes),
    ]


def told_later(events: Sequence[Body]) -> list[Told]:
    """Read what events say of refunds and disputes."""
    told = [(news_in(event), event["data"]["object"]) for event in events]
    return [
        Told(news, uuid_in(thing, PAYMENT_KEY), reference_of(thing.get("payment_intent")))
        for news, thing in told
        if news is not None
    ]


def uuid_in(thing: Body, key: str) -> UUID | None:
    """Find one of our ids in the metadata of an object; None where there is none, or what is none."""
    try:
        metadata: Body = thing.get("metadata") or {}
        return UUID(metadata[key])
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
