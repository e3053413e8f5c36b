"""Stripe's state: sessions, intents, charges, refunds, disputes, events, and the answers kept for idempotency keys.

The rules are those that Stripe documents: a session lives from thirty minutes to a day, ends by being paid, by its time
or by call; an intent waits for another card after a decline; a key's first answer is repeated, errors of the server
included, but not refusals of parameters; a repeated key with other parameters is an error.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

HALF_HOUR = 1800
DAY = 86_400
DECLINES = {
    "card_declined": ("card_declined", "generic_decline"),
    "insufficient_funds": ("card_declined", "insufficient_funds"),
    "lost_card": ("card_declined", "lost_card"),
    "expired_card": ("expired_card", "expired_card"),
    "incorrect_cvc": ("incorrect_cvc", "incorrect_cvc"),
    "processing_error": ("processing_error", "processing_error"),
    "authentication_failed": ("payment_intent_authentication_failure", None),
}
CARDS = {
    "good": "pm_card_visa",
    "card_declined": "pm_card_visa_chargeDeclined",
    "insufficient_funds": "pm_card_visa_chargeDeclinedInsufficientFunds",
    "lost_card": "pm_card_visa_chargeDeclinedLostCard",
    "expired_card": "pm_card_chargeDeclinedExpiredCard",
    "incorrect_cvc": "pm_card_chargeDeclinedIncorrectCvc",
    "processing_error": "pm_card_chargeDeclinedProcessingError",
    "three_d_secure": "pm_card_threeDSecure2Required",
    "disputed": "pm_card_createDispute",
    "refund_fails": "pm_card_refundFail",
}
"""Stripe's own names of the cards for tests, by what they do."""
BUYER = {"email": "kanarienvogel@canary-mail.example", "name": "Quetzal Kanarienvogel", "phone": "+351 555 0199"}
"""Who paid, as Stripe writes it into what it tells: nothing of it is to be kept."""
Thing = dict[str, Any]


class Refusal(Exception):
    """An error as Stripe answers it."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": "invalid_request_error", "message": message, **more}}


@dataclass
class Books:
    """What Stripe knows of one account."""

    now: Callable[[], float]
    things: dict[str, Thing] = field(default_factory=dict[str, Thing])
    events: list[Thing] = field(default_factory=list[Thing])
    answers: dict[str, tuple[str, int, Thing]] = field(default_factory=dict[str, tuple[str, int, Thing]])
    refunds_end_as: str = "succeeded"
    """How a refund stands after it was asked for: succeeded, pending or failed."""
    _numbers: Any = field(default_factory=lambda: count(1))

    def create_session(self, params: Thing) -> Thing:
        expires_at = int(params.get("expires_at", self.now() + DAY))
        if not HALF_HOUR - 1 <= expires_at - self.now() <= DAY:
            raise Refusal(400, "`expires_at` must be between 30 minutes and 24 hours.", param="expires_at")
        items = params["line_items"].values() if isinstance(params["line_items"], dict) else params["line_items"]
        total = sum(int(item["quantity"]) * int(item["price_data"]["unit_amount"]) for item in items)
        self._check_amount(total)
        currency = next(iter(items))["price_data"]["currency"]
        session = self._new(
            "cs_test",
            "checkout.session",
            status="open",
            payment_status="unpaid",
            amount_total=total,
            currency=currency,
            expires_at=expires_at,
            client_reference_id=params.get("client_reference_id"),
            metadata=params.get("metadata", {}),
            payment_intent=None,
            intent_metadata=(params.get("payment_intent_data") or {}).get("metadata", {}),
            success_url=params["success_url"],
            url=None,
        )
        session["url"] = f"https://checkout.stripe.example/c/pay/{session['id']}"
        return session

    def create_intent(self, params: Thing) -> Thing:
        self._check_amount(int(params["amount"]))
        return self._intent(int(params["amount"]), params["currency"], params.get("metadata", {}))

    def _check_amount(self, amount: int) -> None:
        if amount < 50:
            raise Refusal(400, "Amount must convert to at least 50 cents.", code="amount_too_small", param="amount")

    def _intent(self, amount: int, currency: str, metadata: Thing) -> Thing:
        intent = self._new(
            "pi",
            "payment_intent",
            amount=amount,
            amount_received=0,
            currency=currency,
            metadata=metadata,
            status="requires_payment_method",
            last_payment_error=None,
            latest_charge=None,
            receipt_email=BUYER["email"],
        )
        intent["client_secret"] = f"{intent['id']}_secret_{len(self.things)}"
        return intent

    def expire_session(self, session_id: str, *, by_time: bool = False) -> Thing:
        session = self.find(session_id)
        if session["status"] != "open":
            raise Refusal(400, 'Only Checkout Sessions with a status in ["open"] can be expired.')
        if by_time:
            session["expires_at"] = int(self.now())
        session["status"] = "expired"
        intent = self.things.get(session["payment_intent"] or "")
        if intent is not None and intent["status"] != "succeeded":
            intent["status"] = "canceled"
            self.tell("payment_intent.canceled", intent)
        self.tell("checkout.session.expired", session)
        return session

    def cancel_intent(self, intent_id: str) -> Thing:
        intent = self.find(intent_id)
        if intent["status"] not in {"requires_payment_method", "requires_action", "requires_confirmation"}:
            raise Refusal(400, "You cannot cancel this PaymentIntent.", code="payment_intent_unexpected_state")
        intent["status"] = "canceled"
        self.tell("payment_intent.canceled", intent)
        return intent

    def pay(self, thing_id: str, card: str = "good") -> Thing:
        """Let the buyer enter a card, on Stripe's page or on one that confirms the intent."""
        thing = self.find(thing_id)
        if thing["object"] == "checkout.session":
            self._expire_if_over(thing)
            if thing["status"] != "open":
                raise Refusal(400, "This Checkout Session has expired.")
            intent = self.things.get(thing["payment_intent"] or "")
            if intent is None:
                intent = self._intent(thing["amount_total"], thing["currency"], thing["intent_metadata"])
                thing["payment_intent"] = intent["id"]
        else:
            intent = thing
        if intent["status"] in {"succeeded", "canceled"}:
            raise Refusal(400, "This PaymentIntent has ended.", code="payment_intent_unexpected_state")
        if card == "three_d_secure":
            intent["status"] = "requires_action"
        elif card in {"good", "disputed", "refund_fails"}:
            self._capture_by(card, intent, thing)
        else:
            code, decline_code = DECLINES[card]
            intent["status"] = "requires_payment_method"
            whose = {"billing_details": dict(BUYER)}
            error: Thing = {"code": code, "decline_code": decline_code, "type": "card_error", "payment_method": whose}
            intent["last_payment_error"] = error
            self.tell("payment_intent.payment_failed", intent)
        return thing

    def _capture_by(self, card: str, intent: Thing, thing: Thing) -> None:
        intent["card"] = card
        self._capture(intent)
        if intent is not thing:
            thing.update(status="complete", payment_status="paid", customer_details=dict(BUYER))
            self.tell("checkout.session.completed", thing)
        if card == "disputed":
            self.open_dispute(intent["id"])

    def confirm_intent(self, intent_id: str, params: Thing) -> Thing:
        """Let the buyer enter one of Stripe's cards for tests, by a call."""
        self.pay(intent_id, next(card for card, name in CARDS.items() if name == params["payment_method"]))
        return self.find(intent_id)

    def answer_dispute(self, dispute_id: str, params: Thing) -> Thing:
        """Submit evidence: Stripe's own words for tests decide."""
        text = params["evidence"]["uncategorized_text"]
        return self.end_dispute(dispute_id, "won" if text == "winning_evidence" else "lost")

    def look_at_refund(self, refund_id: str) -> Thing:
        """Find a refund; the bank of the card ``refund_fails`` has sent it back by the time that somebody looks."""
        refund = self.find(refund_id)
        if refund["status"] == "succeeded" and self.find(refund["payment_intent"]).get("card") == "refund_fails":
            self.end_refund(refund_id, "failed")
        return refund

    def capture_again(self, intent_id: str) -> Thing:
        """Take the money of an intent a second time, as a bug or an operator's hand would: another intent."""
        first = self.find(intent_id)
        second = self._intent(first["amount"], first["currency"], first["metadata"])
        self._capture(second)
        return second

    def _capture(self, intent: Thing) -> None:
        charge = self._new(
            "ch",
            "charge",
            amount=intent["amount"],
            amount_captured=intent["amount"],
            amount_refunded=0,
            currency=intent["currency"],
            payment_intent=intent["id"],
            metadata=dict(intent["metadata"]),
            paid=True,
            captured=True,
            disputed=False,
        )
        intent.update(status="succeeded", amount_received=intent["amount"], latest_charge=charge["id"])
        intent["last_payment_error"] = None
        self.tell("payment_intent.succeeded", intent)

    def create_refund(self, params: Thing) -> Thing:
        intent = self.find(params["payment_intent"])
        charge = self.things.get(intent["latest_charge"] or "")
        if charge is None:
            raise Refusal(400, "This PaymentIntent does not have a successful charge to refund.")
        if charge["disputed"]:
            raise Refusal(400, "This charge has been charged back.", code="charge_disputed")
        amount = int(params.get("amount", charge["amount"] - charge["amount_refunded"]))
        if charge["amount_refunded"] >= charge["amount"]:
            raise Refusal(400, "This charge has already been refunded.", code="charge_already_refunded")
        if amount > charge["amount"] - charge["amount_refunded"]:
            raise Refusal(400, "Refund amount is greater than unrefunded amount on charge.", param="amount")
        refund = self._new(
            "re",
            "refund",
            amount=amount,
            currency=intent["currency"],
            payment_intent=intent["id"],
            charge=charge["id"],
            metadata=params.get("metadata", {}),
            status="pending",
            failure_reason=None,
        )
        charge["amount_refunded"] += amount
        self.tell("refund.created", refund)
        if self.refunds_end_as != "pending":
            self.end_refund(refund["id"], self.refunds_end_as)
        return refund

    def end_refund(self, refund_id: str, status: str) -> Thing:
        """Let a refund succeed or fail, also one that succeeded before."""
        refund = self.find(refund_id)
        if status == "failed":
            self.find(refund["charge"])["amount_refunded"] -= refund["amount"]
            refund["failure_reason"] = "expired_or_canceled_card"
        refund["status"] = status
        self.tell("refund.failed" if status == "failed" else "refund.updated", refund)
        return refund

    def open_dispute(self, intent_id: str) -> Thing:
        """Let the buyer's bank ask for the money back, and take it away."""
        intent = self.find(intent_id)
        charge = self.find(intent["latest_charge"])
        charge["disputed"] = True
        dispute = self._new(
            "du",
            "dispute",
            amount=charge["amount"],
            currency=charge["currency"],
            payment_intent=intent_id,
            charge=charge["id"],
            status="needs_response",
            reason="fraudulent",
            balance_transactions=[],
            metadata={},
        )
        self.tell("charge.dispute.created", dispute)
        dispute["balance_transactions"] = [{"amount": -charge["amount"]}]
        self.tell("charge.dispute.funds_withdrawn", dispute)
        return dispute

    def end_dispute(self, dispute_id: str, status: str) -> Thing:
        dispute = self.find(dispute_id)
        dispute["status"] = status
        self.tell("charge.dispute.closed", dispute)
        if status == "won":
            self.find(dispute["charge"])["disputed"] = False
            dispute["balance_transactions"].append({"amount": dispute["amount"]})
            self.tell("charge.dispute.funds_reinstated", dispute)
        return dispute

    def find(self, thing_id: str) -> Thing:
        if thing_id not in self.things:
            raise Refusal(404, f"No such thing: '{thing_id}'", code="resource_missing", param="id")
        thing = self.things[thing_id]
        if thing["object"] == "checkout.session":
            self._expire_if_over(thing)
        return thing

    def _expire_if_over(self, session: Thing) -> None:
        if session["status"] == "open" and session["expires_at"] <= self.now():
            session["status"] = "expired"
            self.tell("checkout.session.expired", session)

    def list_of(self, kind: str, query: Thing) -> Thing:
        found = [thing for thing in (*self.things.values(), *self.events) if thing["object"] == kind]
        if types := query.get("types"):
            found = [event for event in found if event["type"] in types.values()]
        for name, compare in (("gte", lambda a, b: a >= b), ("lt", lambda a, b: a < b), ("lte", lambda a, b: a <= b)):
            if limit := (query.get("created") or {}).get(name):
                found = [thing for thing in found if compare(thing["created"], int(limit))]
        if intent := query.get("payment_intent"):
            found = [thing for thing in found if thing.get("payment_intent") == intent]
        found.reverse()
        if after := query.get("starting_after"):
            position = next(index for index, thing in enumerate(found) if thing["id"] == after)
            found = found[position + 1 :]
        size = int(query.get("limit", 10))
        return {"object": "list", "url": "/v1/things", "data": found[:size], "has_more": len(found) > size}

    def tell(self, kind: str, thing: Thing) -> None:
        number = next(self._numbers)
        snapshot = json.loads(json.dumps({key: value for key, value in thing.items() if key != "intent_metadata"}))
        self.events.append(
            {
                "id": f"evt_{number:08d}",
                "object": "event",
                "type": kind,
                "created": int(self.now()),
                "livemode": False,
                "data": {"object": snapshot},
            }
        )

    def taken_minor(self) -> int:
        """Add up what Stripe holds: captured, less what went back, and what disputes took."""
        things = self.things.values()
        charges = [thing for thing in things if thing["object"] == "charge"]
        moved = [
            one["amount"] for thing in things if thing["object"] == "dispute" for one in thing["balance_transactions"]
        ]
        return sum(charge["amount_captured"] - charge["amount_refunded"] for charge in charges) + sum(moved)

    def _new(self, prefix: str, kind: str, **values: Any) -> Thing:
        number = next(self._numbers)
        thing: Thing = {"id": f"{prefix}_{number:08d}", "object": kind, "created": int(self.now()), **values}
        self.things[thing["id"]] = thing
        return thing
