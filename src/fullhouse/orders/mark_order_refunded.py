"""Marking that the money of an order without places was given back."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection
from fullhouse.orders.messages import OrderRefunded
from fullhouse.orders.rules import Order, OrderStatus
from fullhouse.orders.writes import lock_order, mark_order


async def mark_order_refunded(conn: Connection, make_id: MakeId, organization_id: UUID, order_id: UUID) -> Order | None:
    """Mark a ``paid_unseated`` order refunded and announce it. Any other order stays as it is: None."""
    order = await lock_order(conn, organization_id, order_id)
    if order is None or order.status is not OrderStatus.PAID_UNSEATED:
        return None
    refunded = await mark_order(conn, organization_id, order_id, OrderStatus.REFUNDED)
    assert refunded is not None  # noqa: S101 (it is locked, and may become that)
    await append(conn, make_id, [OrderRefunded(refunded, reason="unseated")])
    return refunded
