"""Requesting a refund: written with what makes it due; a worker sends it."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.directory import register
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection
from fullhouse.orders.queries import load_order
from fullhouse.orders.rules import OrderNotFound
from fullhouse.payments import writes
from fullhouse.payments.ledger import Account, refund_request_entry, scale_accounts
from fullhouse.payments.messages import RefundRequested
from fullhouse.payments.queries import load_refundable
from fullhouse.payments.refundable import split_refund
from fullhouse.payments.rules import Refund
from fullhouse.payments.writes import EntryOf, NewRefund, insert_entry, insert_refund


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Money of an order to give back, and the account that it comes out of."""

    organization_id: UUID
    order_id: UUID
    amount_minor: int
    reason: str
    source: Account
    sold: Mapping[Account, int] | None = None
    """Out of a sale: what the places that are given back came to, of which each account gives its share."""


async def request_refund(conn: Connection, make_id: MakeId, wanted: RefundRequest) -> tuple[Refund, ...]:
    """Request money back, from the newest payments first: a row, a ledger entry and a message for each payment.

    The parts sum to the amount. Takes the order's money lock, so a caller that locks stock takes it before that.
    Raises ``RefundTooLarge`` where less is left of what was captured, ``PaymentDisputed`` where a dispute has the rest,
    and ``OrderNotFound``.
    """
    await writes.lock_order_money(conn, wanted.organization_id, wanted.order_id)
    order = await load_order(conn, wanted.organization_id, wanted.order_id)
    if order is None:
        raise OrderNotFound
    left = await load_refundable(conn, wanted.organization_id, wanted.order_id)
    refunds: list[Refund] = []
    shares = scale_accounts(wanted.sold, wanted.amount_minor) if wanted.sold else {wanted.source: -wanted.amount_minor}
    for part in split_refund(wanted.amount_minor, left):
        new = NewRefund(make_id(), part.payment_id, part.amount_minor, wanted.reason)
        refund = await insert_refund(conn, order, new)
        taken = scale_accounts(shares, part.amount_minor) if wanted.sold else {wanted.source: -part.amount_minor}
        shares = {account: amount - taken[account] for account, amount in shares.items()}
        entry = refund_request_entry(taken, part.amount_minor)
        await insert_entry(conn, make_id, order, entry, EntryOf(part.payment_id, refund.refund_id))
        refunds.append(refund)
    await register(conn, "refund", wanted.organization_id, [refund.refund_id for refund in refunds])
    await append(conn, make_id, [RefundRequested(refund) for refund in refunds])
    return tuple(refunds)


async def lock_order_money(conn: Connection, organization_id: UUID, order_id: UUID) -> None:
    """Let one transaction at a time decide about the money of an order; taken before stock, held to the end.

    For features above, which decide by an order's payments and refunds before they request one.
    """
    await writes.lock_order_money(conn, organization_id, order_id)
