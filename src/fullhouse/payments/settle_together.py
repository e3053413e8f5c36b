"""Settling the payments of many orders in one transaction, with few statements for them all.

Only what is plain: an open attempt whose provider took just what a pending order comes to, while its places are still
held. All else (declined, late, short, too much, twice, a session that is cancelled) is left to ``settle_payment``.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.core.message import Fact, Message
from fullhouse.events.queries import find_cancelled
from fullhouse.infra.outbox import Told, append_many
from fullhouse.infra.postgres import Connection
from fullhouse.orders.lines import parts_of
from fullhouse.orders.mark_orders_paid import PaidOrder, mark_orders_paid
from fullhouse.orders.messages import OrderPaid
from fullhouse.orders.queries import load_orders
from fullhouse.orders.rules import Order, OrderStatus
from fullhouse.payments.ledger import Account, capture_entry, sale_entry
from fullhouse.payments.messages import PaymentSucceeded
from fullhouse.payments.news import News
from fullhouse.payments.notice_writes import adopt_notices
from fullhouse.payments.queries import load_balances, load_named_payments
from fullhouse.payments.rules import Charge, ChargeStatus, Payment, PaymentStatus, settle
from fullhouse.payments.writes import (
    NOTHING,
    EntryOf,
    Settled,
    insert_entries,
    lock_order_money,
    record_settlements,
)
from fullhouse.reservations.rules import HeldItem
from fullhouse.reservations.sell_reservation import sell_reservations


class Heard(NamedTuple):
    """What a provider told of a payment, and the message that brought it, of which no two are about one order."""

    message: Message
    payment_id: UUID
    news: News

    @property
    def order_id(self) -> UUID:
        """The order that the payment is for."""
        return self.message.key


class Bought(NamedTuple):
    """An order that was paid for in this transaction, the payment that did it, and the message that brought that."""

    message: Message
    payment_id: UUID
    paid: PaidOrder


async def settle_together(
    conn: Connection, make_id: MakeId, organization_id: UUID, heard: Sequence[Heard]
) -> list[Bought]:
    """Settle what is plain of what was heard about different orders, and return what was bought.

    Locks the money of all these orders, then the stock of all their sessions, each in order of their ids, so that the
    caller may settle the others in the same transaction, one by one, and wait for nobody in a circle.
    """
    order_ids = [one.order_id for one in heard]
    await lock_order_money(conn, organization_id, *order_ids)
    payments = await load_named_payments(conn, organization_id, [one.payment_id for one in heard])
    orders = await load_orders(conn, organization_id, order_ids)
    owed = await load_balances(conn, organization_id, order_ids, Account.BUYERS)
    session_ids = {order.session_id for order in orders.values()}
    cancelled = await find_cancelled(conn, organization_id, session_ids)
    plain = {
        order.reservation_id: _Plain(one.message, one.news, payment, order)
        for one in heard
        if isinstance(one.news, Charge)
        and (payment := payments.get(one.payment_id)) is not None
        and (order := orders.get(payment.order_id)) is not None
        and order.session_id not in cancelled
        and not owed.get(order.order_id)
        and is_plain(payment, one.news, order)
    }
    sold = await sell_reservations(conn, make_id, organization_id, session_ids, list(plain))
    if not sold:
        return []
    return await _pay_for(conn, make_id, organization_id, [(plain[id_], places.items) for id_, places in sold.items()])


class _Plain(NamedTuple):
    message: Message
    charge: Charge
    payment: Payment
    order: Order


def is_plain(payment: Payment, charge: Charge, order: Order) -> bool:
    """Say whether an open attempt brought exactly what its pending order comes to."""
    return (
        payment.status is PaymentStatus.STARTED
        and payment.captured_minor == 0
        and payment.capture_reference in {None, charge.capture_reference}
        and charge.status is ChargeStatus.CAPTURED
        and charge.captured_minor == order.total_minor > 0
        and order.status is OrderStatus.PENDING
    )


async def _pay_for(
    conn: Connection,
    make_id: MakeId,
    organization_id: UUID,
    sold: Sequence[tuple[_Plain, tuple[HeldItem, ...]]],
) -> list[Bought]:
    """Write what is settled: the payments, the orders with their units, the ledger, and what is told of them."""
    of_order = {one.order.order_id: one for one, _ in sold}
    settled = await record_settlements(
        conn, organization_id, [Settled(one.payment, settle(one.payment, one.charge), one.charge) for one, _ in sold]
    )
    paid = await mark_orders_paid(conn, make_id, organization_id, {one.order.order_id: items for one, items in sold})
    of_capture = [
        (of_order[one.order_id].order, capture_entry(one.provider, one.captured_minor), EntryOf(one.payment_id))
        for one in settled
    ]
    of_sale = [(one.order, sale_entry(parts_of(one.lines)), NOTHING) for one in paid]
    await insert_entries(conn, make_id, organization_id, [*of_capture, *of_sale])
    adopted = await adopt_notices(conn, organization_id, [one for one in settled if one.capture_reference])
    facts: list[tuple[UUID, Fact]] = [
        *((one.order_id, PaymentSucceeded(one)) for one in settled),
        *((one.order.order_id, OrderPaid(one.order)) for one in paid),
        *((one.order_id, one) for one in adopted),
    ]
    told = [(of_order[order_id].message, fact) for order_id, fact in facts]
    await append_many(conn, make_id, [Told(fact, message.request_id, message.traceparent) for message, fact in told])
    by = [of_order[one.order.order_id] for one in paid]
    return [Bought(plain.message, plain.payment.payment_id, one) for plain, one in zip(by, paid, strict=True)]
