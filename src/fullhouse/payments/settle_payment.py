"""Settling: a provider's word becomes a state, and money becomes places or a refund, in one transaction."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.core.message import Fact
from fullhouse.events.queries import load_terms
from fullhouse.events.rules import SessionStatus, SessionTerms
from fullhouse.infra.directory import register
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection
from fullhouse.orders.lines import parts_of
from fullhouse.orders.mark_order_paid import mark_order_paid
from fullhouse.orders.mark_order_unseated import mark_order_unseated
from fullhouse.orders.queries import load_lines, load_order
from fullhouse.orders.rules import Order, OrderNotFound, OrderStatus
from fullhouse.payments.ledger import Account, capture_entry, sale_entry
from fullhouse.payments.messages import PaymentCancelled, PaymentDeclinedFact, PaymentSucceeded
from fullhouse.payments.notice_writes import adopt_notices
from fullhouse.payments.queries import load_balance, load_payment, load_payments
from fullhouse.payments.request_refund import RefundRequest, request_refund
from fullhouse.payments.rules import Charge, Payment, PaymentNotFound, PaymentStatus, may_seat, refund_reason, settle
from fullhouse.payments.writes import (
    EntryOf,
    NewPayment,
    insert_entry,
    insert_payment,
    lock_order_money,
    record_reason,
    record_settlement,
)
from fullhouse.reservations.release_reservation import release_reservation
from fullhouse.reservations.rules import Reservation
from fullhouse.reservations.sell_again import sell_again
from fullhouse.reservations.sell_reservation import sell_reservation


async def settle_payment(
    conn: Connection, make_id: MakeId, organization_id: UUID, payment_id: UUID, charge: Charge
) -> Payment:
    """Apply what a provider says of an attempt: from a notice, or asked. Returns the payment as it is then.

    Any order and any duplication of the same words ends in the same state. Money that was not known before is
    entered in the ledger and buys the order's places, or is asked back, in this transaction. Locks the order's
    money, then stock, reservation, order, payment. Raises ``PaymentNotFound``.
    """
    known = await load_payment(conn, organization_id, payment_id)
    if known is None:
        raise PaymentNotFound
    await lock_order_money(conn, organization_id, known.order_id)
    payment = await load_payment(conn, organization_id, payment_id)
    order = await load_order(conn, organization_id, known.order_id)
    if payment is None or order is None:
        raise OrderNotFound
    if _is_another_capture(payment, charge):
        payment = await _payment_of_capture(conn, make_id, order, payment, charge)
    settlement = settle(payment, charge)
    if not settlement.changes(payment):
        return await record_reason(conn, payment, charge) if _is_declined_try(payment, charge) else payment
    settled = await record_settlement(conn, payment, settlement, charge)
    if settled.status is not payment.status:
        await append(conn, make_id, [_fact(settled)])
    if settlement.newly_captured_minor:
        entry = capture_entry(settled.provider, settlement.newly_captured_minor)
        await insert_entry(conn, make_id, order, entry, EntryOf(settled.payment_id))
        await _allocate(conn, make_id, order)
    if settled.capture_reference != payment.capture_reference:
        await append(conn, make_id, await adopt_notices(conn, organization_id, [settled]))
    return settled


def _is_declined_try(payment: Payment, charge: Charge) -> bool:
    """Say that a card was declined, and that the attempt stays open for another one."""
    return payment.status is PaymentStatus.STARTED and charge.reason not in {None, payment.reason}


def _is_another_capture(payment: Payment, charge: Charge) -> bool:
    """Say that the provider took money twice for one attempt: it calls the second by another name."""
    return None not in {payment.capture_reference, charge.capture_reference} and (
        payment.capture_reference != charge.capture_reference
    )


async def _payment_of_capture(
    conn: Connection, make_id: MakeId, order: Order, first: Payment, charge: Charge
) -> Payment:
    """Return the payment of a second capture, or make one, so that its money is entered and given back like any."""
    payments = await load_payments(conn, order.organization_id, order.order_id)
    known = next((one for one in payments if one.capture_reference == charge.capture_reference), None)
    if known is not None:
        return known
    key = f"{order.order_id}:{charge.capture_reference}:found"
    new = NewPayment(make_id(), len(payments) + 1, first.provider, {}, first.deadline_at, key)
    found = await insert_payment(conn, replace(order, total_minor=charge.captured_minor), new)
    await register(conn, "payment", order.organization_id, [found.payment_id])
    return found


def _fact(payment: Payment) -> Fact:
    if payment.status is PaymentStatus.SUCCEEDED:
        return PaymentSucceeded(payment)
    if payment.status is PaymentStatus.DECLINED:
        return PaymentDeclinedFact(payment)
    return PaymentCancelled(payment)


async def _allocate(conn: Connection, make_id: MakeId, order: Order) -> None:
    """Use what the ledger says we owe the buyer of an order, to the last unit of it, never leaving any.

    Enough for an unpaid order: its places are sold, or others like them, and it is paid; where there are none it
    is ``paid_unseated``. What is left over, and what came for nothing, is asked back. The caller holds the order's
    money lock, and ``order`` was loaded under it.
    """
    owed = -await load_balance(conn, order.organization_id, order.order_id, Account.BUYERS)
    status = order.status
    if may_seat(status, order.total_minor, owed):
        sold = await _sell(conn, make_id, order)
        if sold is not None:
            await mark_order_paid(conn, make_id, order.organization_id, order.order_id, sold.items)
            lines = await load_lines(conn, order.organization_id, order.order_id)
            await insert_entry(conn, make_id, order, sale_entry(parts_of(lines)))
            owed -= order.total_minor
            status = OrderStatus.PAID
        else:
            await mark_order_unseated(conn, make_id, order.organization_id, order.order_id)
            status = OrderStatus.PAID_UNSEATED
    if owed:
        wanted = RefundRequest(
            organization_id=order.organization_id,
            order_id=order.order_id,
            amount_minor=owed,
            reason=refund_reason(status),
            source=Account.BUYERS,
        )
        await request_refund(conn, make_id, wanted)


async def _sell(conn: Connection, make_id: MakeId, order: Order) -> Reservation | None:
    """Sell what the order's reservation holds, or held; None where there are no places, or no session any more."""
    terms = await load_terms(conn, order.organization_id, order.session_id)
    if terms is None or terms.status is SessionStatus.CANCELLED:
        await release_reservation(conn, make_id, order.organization_id, order.reservation_id)
        return None
    sold = await sell_reservation(conn, make_id, order.organization_id, order.reservation_id)
    if sold is None and not await _is_over(conn, terms):
        sold = await sell_again(conn, make_id, order.organization_id, order.reservation_id)
    return sold


async def _is_over(conn: Connection, terms: SessionTerms) -> bool:
    now: datetime = await conn.fetchval("SELECT clock_timestamp()")
    return (terms.ends_at or terms.starts_at) <= now
