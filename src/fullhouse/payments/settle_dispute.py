"""Settling a dispute: what a provider says of money that a buyer's bank asks back becomes a state and entries."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection
from fullhouse.infra.telemetry import get_log
from fullhouse.orders.queries import load_order
from fullhouse.orders.rules import Order, OrderNotFound
from fullhouse.payments.ledger import (
    dispute_lost_entry,
    dispute_returned_entry,
    dispute_withdrawn_entry,
    refund_by_dispute_entry,
    scale_accounts,
)
from fullhouse.payments.messages import DISPUTE_FACTS
from fullhouse.payments.news import Dispute, DisputeNews, DisputeSettlement, paid_by_dispute, settle_dispute_status
from fullhouse.payments.queries import dispute_of, load_payment, load_refunds, load_sold
from fullhouse.payments.rules import Payment, PaymentNotFound
from fullhouse.payments.settle_refund import follow_success
from fullhouse.payments.writes import EntryOf, insert_entry, lock_order_money, record_refund_by_dispute

_log = get_log("payments")


async def settle_dispute(
    conn: Connection, make_id: MakeId, organization_id: UUID, payment_id: UUID, news: DisputeNews
) -> Dispute:
    """Apply what a provider says of a dispute. Tickets stay as they are: whoever sells them decides.

    While it is open the money stands in the account of disputes; won, it goes back to the provider's. Lost, it is what
    refunds of that payment owe that have failed or were not sent yet, and else is taken off the sale, off its fees and
    taxes too, as a refund would. Takes the order's money lock. Raises ``PaymentNotFound``.
    """
    payment = await load_payment(conn, organization_id, payment_id)
    if payment is None:
        raise PaymentNotFound
    await lock_order_money(conn, organization_id, payment.order_id)
    order = await load_order(conn, organization_id, payment.order_id)
    if order is None:
        raise OrderNotFound
    known, is_new = await _open(conn, make_id, payment, news)
    settlement = settle_dispute_status(known, news)
    if not is_new and not settlement.changes(known):
        return known
    settled = await _record(conn, known, settlement)
    await _enter(conn, make_id, order, payment, settled, settlement)
    if is_new or settled.status is not known.status:
        _log.warning("dispute", dispute_id=str(settled.dispute_id), status=settled.status.value)
        await append(conn, make_id, [DISPUTE_FACTS[settled.status](settled)])
    return settled


async def _open(conn: Connection, make_id: MakeId, payment: Payment, news: DisputeNews) -> tuple[Dispute, bool]:
    """Return the dispute of this name, as it was or as it begins, and whether it is new."""
    row = await conn.fetchrow(
        """
        INSERT INTO disputes (organization_id, dispute_id, order_id, payment_id, provider_reference, amount_minor,
                              currency, reason)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT ON CONSTRAINT disputes_once DO NOTHING RETURNING *
        """,
        payment.organization_id,
        make_id(),
        payment.order_id,
        payment.payment_id,
        news.reference,
        news.amount_minor,
        payment.currency,
        news.reason,
    )
    if row is not None:
        return dispute_of(row), True
    row = await conn.fetchrow(
        "SELECT * FROM disputes WHERE organization_id = $1 AND payment_id = $2 AND provider_reference = $3",
        payment.organization_id,
        payment.payment_id,
        news.reference,
    )
    assert row is not None  # noqa: S101 (disputes are never deleted)
    return dispute_of(row), False


async def _record(conn: Connection, known: Dispute, settlement: DisputeSettlement) -> Dispute:
    row = await conn.fetchrow(
        """
        UPDATE disputes SET status = $3, withdrawn_minor = $4,
            ended_at = CASE WHEN $3 <> 'opened' THEN coalesce(ended_at, clock_timestamp()) END
        WHERE organization_id = $1 AND dispute_id = $2 RETURNING *
        """,
        known.organization_id,
        known.dispute_id,
        settlement.status.value,
        settlement.withdrawn_minor,
    )
    assert row is not None  # noqa: S101 (it was loaded under the lock)
    return dispute_of(row)


async def _enter(
    conn: Connection,
    make_id: MakeId,
    order: Order,
    payment: Payment,
    dispute: Dispute,
    settlement: DisputeSettlement,
) -> None:
    of = EntryOf(payment.payment_id, dispute_id=dispute.dispute_id)
    entries = (
        (settlement.newly_withdrawn_minor, dispute_withdrawn_entry),
        (settlement.newly_returned_minor, dispute_returned_entry),
    )
    for amount_minor, entry_of in entries:
        if amount_minor:
            await insert_entry(conn, make_id, order, entry_of(payment.provider, amount_minor), of)
    lost_minor = settlement.newly_lost_minor
    if lost_minor:
        lost_minor -= await _end_refunds(conn, make_id, order, payment, dispute, lost_minor)
    if lost_minor:
        sold = await load_sold(conn, order.organization_id, order.order_id)
        await insert_entry(conn, make_id, order, dispute_lost_entry(scale_accounts(sold, lost_minor), lost_minor), of)


async def _end_refunds(
    conn: Connection, make_id: MakeId, order: Order, payment: Payment, dispute: Dispute, lost_minor: int
) -> int:
    """End the refunds whose money the buyer's bank has taken instead. Returns how much that was."""
    refunds = await load_refunds(conn, order.organization_id, order.order_id)
    ended = paid_by_dispute([one for one in refunds if one.payment_id == payment.payment_id], lost_minor)
    for refund in ended:
        done = await record_refund_by_dispute(conn, refund, dispute)
        of = EntryOf(payment.payment_id, refund.refund_id, dispute.dispute_id)
        await insert_entry(conn, make_id, order, refund_by_dispute_entry(refund.amount_minor), of)
        await follow_success(conn, make_id, done)
    return sum(refund.amount_minor for refund in ended)
