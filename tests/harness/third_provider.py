"""A provider that is none of ours, written from ``docs/how-to/write-a-payment-provider.md`` alone, and its bank.

The bank writes amounts as decimal texts, calls a capture by another name than the payment, and tells all it does. It
stands in this process, where a real one would be called over HTTP.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from fullhouse.core.clock import Clock
from fullhouse.core.errors import invalid_field
from fullhouse.core.json import Json
from fullhouse.core.money import currency_exponent
from fullhouse.infra import system
from fullhouse.payments.news import News, RefundNews, Told
from fullhouse.payments.providers.port import Attempt, Notice, ProviderKeys, RefundCall, SentNotice, Started
from fullhouse.payments.providers.signature import check_signature, sign
from fullhouse.payments.rules import Charge, ChargeStatus, NoticeRefused, ProviderRefused, RefundStatus

Thing = dict[str, Any]
HEADER = "riverbank-signature"
STATUSES = {"waiting": ChargeStatus.OPEN, "paid": ChargeStatus.CAPTURED, "void": ChargeStatus.CANCELLED}


@dataclass
class Riverbank:
    """The bank's own books: orders by the key that they were made with, refunds likewise, and what was told."""

    clock: Clock
    orders: dict[str, Thing] = field(default_factory=dict[str, Thing])
    refunds: dict[str, Thing] = field(default_factory=dict[str, Thing])
    told: list[Thing] = field(default_factory=list[Thing])

    def order(self, key: str, **terms: Any) -> Thing:
        made: Thing = {"ref": f"RB{len(self.orders)}", "state": "waiting", "at": self.clock().isoformat(), **terms}
        return self.orders.setdefault(key, made)

    def pay(self, key: str) -> None:
        order = self.orders[key]
        order.update(state="paid", capture=f"C-{order['ref']}")
        self.tell("order", order)

    def void(self, key: str) -> Thing:
        order = self.order(key, amount="0", currency="EUR", ours="")
        if order["state"] == "waiting":
            order["state"] = "void"
        return order

    def refund(self, key: str, order: Thing, amount: str, ours: str) -> Thing | None:
        if key in self.refunds:
            return self.refunds[key]
        before = sum(Decimal(one["amount"]) for one in self.refunds.values() if one["of"] == order["ref"])
        if order["state"] != "paid" or before + Decimal(amount) > Decimal(order["amount"]):
            return None
        made: Thing = {"ref": f"RF{len(self.refunds)}", "of": order["ref"], "amount": amount, "ours": ours}
        made |= {"order": order["ours"], "currency": order["currency"], "at": self.clock().isoformat()}
        self.refunds[key] = made
        self.tell("refund", made)
        return made

    def tell(self, kind: str, thing: Thing) -> None:
        self.told.append({"id": f"N{len(self.told)}", "kind": kind, "thing": dict(thing)})


@dataclass
class RiverbankProvider:
    """The functions of the port, in its order."""

    bank: Riverbank
    key: bytes

    def attempt_seconds_min(self, options: Mapping[str, Any]) -> int:  # noqa: ARG002 (all are alike)
        return 0

    def check_options(self, options: Mapping[str, Any]) -> Mapping[str, Json]:
        for name, value in options.items():
            if name != "shore" or value not in {"left", "right"}:
                raise invalid_field(name, "Only `shore` is known: left or right.")
        return {"shore": options.get("shore", "left")}

    async def check_keys(self, keys: ProviderKeys) -> bool:  # noqa: ARG002 (the operator's agreement serves all)
        raise invalid_field("secret_key", "This provider takes no keys.")

    async def is_offered(self, organization_id: UUID) -> bool:  # noqa: ARG002
        return True

    async def start(self, attempt: Attempt) -> Started:
        amount = to_text(attempt.amount_minor, attempt.currency)
        ours = str(attempt.payment_id)
        order = self.bank.order(attempt.provider_key, amount=amount, currency=attempt.currency, ours=ours)
        return Started(charge_of(order), {"type": "redirect", "url": f"https://pay.riverbank.example/{order['ref']}"})

    async def fetch(self, attempt: Attempt) -> Charge | None:
        order = self.bank.orders.get(attempt.provider_key)
        return charge_of(order) if order else None

    async def cancel(self, attempt: Attempt) -> Charge:
        return charge_of(self.bank.void(attempt.provider_key))

    async def refund(self, call: RefundCall) -> RefundNews:
        order = self.bank.orders[call.charge.provider_key]
        amount = to_text(call.amount_minor, call.currency)
        made = self.bank.refund(call.provider_key, order, amount, str(call.refund_id))
        if made is None:
            raise ProviderRefused("Riverbank has not that much to give back.")
        return refund_of(made)

    async def read_notice(self, sent: SentNotice, now: datetime) -> Notice | None:
        check_signature(sent.raw, sent.headers.get(HEADER), [self.key], now)
        try:
            body: Thing = json.loads(sent.raw)
            thing = body["thing"]
            payment_id = UUID(thing["ours"] if body["kind"] == "order" else thing["order"])
        except (ValueError, KeyError, TypeError) as broken:
            raise NoticeRefused("The notice cannot be read.") from broken
        return Notice(body["id"], payment_id, body)

    def news_in(self, body: Mapping[str, Any]) -> News | None:
        return charge_of(body["thing"]) if body["kind"] == "order" else refund_of(body["thing"])

    async def list_news(self, organization_id: UUID, since: datetime, until: datetime) -> Sequence[Told]:  # noqa: ARG002
        def inside(thing: Thing) -> bool:
            return since <= datetime.fromisoformat(thing["at"]) < until

        paid = [one for one in self.bank.orders.values() if one["state"] == "paid" and inside(one)]
        refunds = [one for one in self.bank.refunds.values() if inside(one)]
        charges = [Told(charge_of(one), UUID(one["ours"])) for one in paid]
        return [*charges, *(Told(refund_of(one), UUID(one["order"])) for one in refunds)]

    async def close(self) -> None:
        return


def charge_of(order: Mapping[str, Any]) -> Charge:
    status = STATUSES[order["state"]]
    captured = from_text(order["amount"], order["currency"]) if status is ChargeStatus.CAPTURED else 0
    return Charge(order["ref"], status, captured, capture_reference=order.get("capture"))


def refund_of(refund: Mapping[str, Any]) -> RefundNews:
    amount = from_text(refund["amount"], refund["currency"])
    return RefundNews(refund["ref"], RefundStatus.SUCCEEDED, amount, UUID(refund["ours"]))


def to_text(amount_minor: int, currency: str) -> str:
    return str(Decimal(amount_minor).scaleb(-currency_exponent(currency)))


def from_text(amount: str, currency: str) -> int:
    return int(Decimal(amount).scaleb(currency_exponent(currency)))


@dataclass
class RiverbankBench:
    """Plays the buyer, and hears what the bank tells."""

    options: Mapping[str, Any] = field(default_factory=lambda: {"shore": "right"})
    can: frozenset[str] = frozenset({"keys", "notices", "lists", "decimals", "never_arrived"})

    def __post_init__(self) -> None:
        self.provider = RiverbankProvider(Riverbank(system.now), b"riverbank's secret")

    async def pay(self, attempt: Attempt, started: Started) -> None:  # noqa: ARG002
        self.provider.bank.pay(attempt.provider_key)

    async def notices(self, attempt: Attempt) -> Sequence[SentNotice]:
        raws = [json.dumps(one).encode() for one in self.provider.bank.told]
        signed = [(raw, {HEADER: sign(raw, system.now(), self.provider.key)}) for raw in raws]
        return [SentNotice(raw, headers, attempt.organization_id) for raw, headers in signed]
