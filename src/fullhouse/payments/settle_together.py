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
from fullhouse.reservations.queries import load_reservations
from fullhouse.reservations.rules import HeldItem, ReservationStatus
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
    items: tuple[HeldItem, ...]
    """What its reservation holds, which is still to be sold."""


class PlacesChanged(Exception):
    """A reservation ended between the look at it and its lock. Nothing is written; each payment is settled alone."""


class Together(NamedTuple):
    """What was settled together, and the sessions of all orders that were heard of."""

    bought: list[Bought]
    session_ids: set[UUID]


async def settle_together(conn: Connection, make_id: MakeId, organization_id: UUID, heard: Sequence[Heard]) -> Together:
    """Settle what is plain of what was heard about different orders, but for their places: see ``sell_bought``.

    Locks the money of all these orders, in order of their ids. The stock, for which buyers wait, is left for the end.
    """
    order_ids = [one.order_id for one in heard]
    await lock_order_money(conn, organization_id, *order_ids)
    payments = await load_named_payments(conn, organization_id, [one.payment_id for one in heard])
    orders = await load_orders(conn, organization_id, order_ids)
    owed = await load_balances(conn, organization_id, order_ids, Account.BUYERS)
    session_ids = {order.session_id for order in orders.values()}
    cancelled = await find_cancelled(conn, organization_id, session_ids)
    known = [order.reservation_id for order in orders.values()]
    reservations = await load_reservations(conn, organization_id, known)
    held = {id_: one for id_, one in reservations.items() if one.status is ReservationStatus.HELD}
    plain = [
        _Plain(one.message, one.news, payment, order, held[order.reservation_id].items)
        for one in heard
        if isinstance(one.news, Charge)
        and (payment := payments.get(one.payment_id)) is not None
        and (order := orders.get(payment.order_id)) is not None
        and order.session_id not in cancelled
        and not owed.get(order.order_id)
        and is_plain(payment, one.news, order)
        and order.reservation_id in held
    ]
    bought = await _pay_for(conn, make_id, organization_id, plain) if plain else []
    return Together(bought, session_ids)


async def sell_bought(conn: Connection, make_id: MakeId, organization_id: UUID, settled: Together) -> None:
    """Sell the places of what was settled together, as the last thing that is done about it.

    Locks the stock of all sessions, in order of their ids, so that the caller may settle the others in the same
    transaction, one by one, and wait for nobody in a circle. Raises ``PlacesChanged``.
    """
    bought = {one.paid.order.reservation_id: one.items for one in settled.bought}
    sold = await sell_reservations(conn, make_id, organization_id, settled.session_ids, list(bought))
    if {id_: one.items for id_, one in sold.items()} != bought:
        raise PlacesChanged


class _Plain(NamedTuple):
    message: Message
    charge: Charge
    payment: Payment
    order: Order
    items: tuple[HeldItem, ...]


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
    plain: Sequence[_Plain],
) -> list[Bought]:
    """Write what is settled: the payments, the orders with their units, the ledger, and what is told of them."""
    of_order = {one.order.order_id: one for one in plain}
    settled = await record_settlements(
        conn, organization_id, [Settled(one.payment, settle(one.payment, one.charge), one.charge) for one in plain]
    )
    paid = await mark_orders_paid(conn, make_id, organization_id, {one.order.order_id: one.items for one in plain})
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
    return [Bought(its.message, its.payment.payment_id, one, its.items) for its, one in zip(by, paid, strict=True)]
