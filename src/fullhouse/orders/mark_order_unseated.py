"""Marking that an order's money came when its places were gone."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection
from fullhouse.orders.messages import OrderPaidUnseated
from fullhouse.orders.rules import Order, OrderStatus
from fullhouse.orders.writes import mark_order
from fullhouse.pricing.use_code import return_uses


async def mark_order_unseated(conn: Connection, make_id: MakeId, organization_id: UUID, order_id: UUID) -> Order | None:
    """Mark an unpaid order ``paid_unseated`` and announce it; the caller requests the refund in this transaction.

    Returns None, with nothing changed, where the order was marked so before.
    """
    order = await mark_order(conn, organization_id, order_id, OrderStatus.PAID_UNSEATED)
    if order is not None:
        await return_uses(conn, organization_id, [order_id])
        await append(conn, make_id, [OrderPaidUnseated(order)])
    return order
