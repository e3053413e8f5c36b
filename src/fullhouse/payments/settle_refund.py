"""Settling a refund: a provider's word of money that goes back becomes a state and an entry, in one transaction."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection
from fullhouse.infra.telemetry import get_log
from fullhouse.orders.mark_order_refunded import mark_order_refunded
from fullhouse.orders.queries import load_order
from fullhouse.orders.rules import Order, OrderNotFound
from fullhouse.payments.ledger import refund_entry, refund_request_entry, refund_returned_entry, scale_accounts
from fullhouse.payments.messages import RefundFailed, RefundForfeited, RefundSucceeded
from fullhouse.payments.money_cases import NewCase, end_case, load_missing_refunds, open_case
from fullhouse.payments.news import BY_HAND, RefundNews, settle_refund_status
from fullhouse.payments.queries import load_payment, load_refunds, load_sold
from fullhouse.payments.rules import Payment, PaymentNotFound, Refund, RefundStatus
from fullhouse.payments.writes import (
    EntryOf,
    NewRefund,
    forget_reference,
    insert_entry,
    insert_refund,
    lock_order_money,
    record_refund,
)

_log = get_log("payments")


async def settle_refund(
    conn: Connection, make_id: MakeId, organization_id: UUID, payment_id: UUID, news: RefundNews
) -> Refund | None:
    """Apply what a provider says of a refund: from a notice, as an answer, or read in its books.

    A refund that we did not ask for was made by hand in the provider's pages. It counts as the one of the same amount
    that is waiting or has failed, if there is one, else it is entered as another. None: it was made by hand and came
    to nothing. Takes the order's money lock. Raises ``PaymentNotFound``.
    """
    known = await load_payment(conn, organization_id, payment_id)
    if known is None:
        raise PaymentNotFound
    await lock_order_money(conn, organization_id, known.order_id)
    order = await load_order(conn, organization_id, known.order_id)
    if order is None:
        raise OrderNotFound
    known = await load_payment(conn, organization_id, payment_id) or known
    refunds = [one for one in await load_refunds(conn, organization_id, known.order_id) if one.payment_id == payment_id]
    refund = find_refund(known, refunds, news, await load_missing_refunds(conn, organization_id, payment_id))
    if refund is None:
        if news.status is RefundStatus.FAILED:
            return None
        refund = await _enter_by_hand(conn, make_id, order, known, news)
    elif refund.provider_reference and news.reference not in {refund.provider_reference, *refund.past_references}:
        refund = await forget_reference(conn, refund)
        await end_case(conn, organization_id, "refund_missing", str(refund.refund_id))
    status = settle_refund_status(refund, news)
    if status is refund.status and (refund.provider_reference or news.reference in refund.past_references):
        return refund
    settled = await record_refund(conn, refund, status, reference=news.reference, error=news.reason)
    if status is not refund.status:
        await _follow(conn, make_id, order, known, refund, settled)
    return settled


def find_refund(
    payment: Payment, refunds: list[Refund], news: RefundNews, missing: frozenset[UUID] = frozenset()
) -> Refund | None:
    """Find which refund of a payment news are about; None for one that we do not know yet. Pure.

    One made by hand is the one of the same amount that waits or was refused, or that the provider says it never did
    (``missing``). Where the payment has no money left for another it takes the place of one that had a name: that one
    failed, whether or not we have heard of it yet.
    """
    named = [one for one in refunds if news.reference in {one.provider_reference, *one.past_references}]
    ours = [
        one for one in refunds if one.refund_id == news.refund_id and one.provider_reference is None and not one.is_over
    ]
    if named or ours or news.refund_id is not None or news.status is RefundStatus.FAILED:
        return next(iter([*named, *ours]), None)
    is_full = payment.captured_minor - sum(one.amount_minor for one in refunds) < news.amount_minor
    alike = [one for one in refunds if one.amount_minor == news.amount_minor]
    unnamed = [one for one in alike if one.provider_reference is None and not one.is_over]
    denied = [one for one in alike if one.refund_id in missing]
    failed = [one for one in alike if is_full and one.status is RefundStatus.FAILED]
    done = [one for one in alike if is_full and one.provider_reference is not None]
    return next(iter([*unnamed, *denied, *failed, *done]), None)


async def _enter_by_hand(conn: Connection, make_id: MakeId, order: Order, payment: Payment, news: RefundNews) -> Refund:
    new = NewRefund(make_id(), payment.payment_id, news.amount_minor, BY_HAND)
    refund = await insert_refund(conn, order, new)
    sold = await load_sold(conn, order.organization_id, order.order_id)
    entry = refund_request_entry(scale_accounts(sold, news.amount_minor), news.amount_minor)
    await insert_entry(conn, make_id, order, entry, EntryOf(payment.payment_id, refund.refund_id))
    _log.warning("refund_made_by_hand", refund_id=str(refund.refund_id), amount_minor=news.amount_minor)
    return refund


async def _follow(
    conn: Connection, make_id: MakeId, order: Order, payment: Payment, before: Refund, now: Refund
) -> None:
    """Enter what a new state means in the ledger, and announce it. The order may then be refunded."""
    of = EntryOf(payment.payment_id, now.refund_id)
    if now.status is RefundStatus.SUCCEEDED:
        await insert_entry(conn, make_id, order, refund_entry(payment.provider, now.amount_minor), of)
        await follow_success(conn, make_id, now)
    elif now.status is RefundStatus.FAILED:
        _log.error("refund_failed", refund_id=str(now.refund_id), was=before.status.value)
        if before.status is RefundStatus.SUCCEEDED:
            await insert_entry(conn, make_id, order, refund_returned_entry(payment.provider, now.amount_minor), of)
        await fail_case(conn, make_id, payment, now)
        await append(conn, make_id, [RefundFailed(now)])


async def follow_success(conn: Connection, make_id: MakeId, done: Refund) -> None:
    """Announce a refund that was done or is owed no more, end its case, and the order if it only waited for that."""
    await _end_order(conn, make_id, done)
    await end_case(conn, done.organization_id, "refund_failed", str(done.refund_id))
    fact = RefundForfeited if done.status is RefundStatus.FORFEITED else RefundSucceeded
    await append(conn, make_id, [fact(done)])


async def fail_case(conn: Connection, make_id: MakeId, payment: Payment, refund: Refund) -> None:
    """Raise the alarm: money that is owed to a buyer does not move until somebody looks at it."""
    detail = f"{refund.amount_minor} in minor units did not go back: {refund.last_error or 'no reason was given'}."
    new = NewCase("refund_failed", payment.provider, str(refund.refund_id), detail, payment)
    await open_case(conn, make_id, refund.organization_id, new)


async def _end_order(conn: Connection, make_id: MakeId, done: Refund) -> None:
    """Mark an order refunded that only waited until nothing of its money was owed."""
    others = await load_refunds(conn, done.organization_id, done.order_id)
    if all(other.is_over for other in others if other.refund_id != done.refund_id):
        await mark_order_refunded(conn, make_id, done.organization_id, done.order_id)
