"""Cancelling units of a paid order, each once; the order is refunded when none is left."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection
from fullhouse.orders.messages import OrderRefunded
from fullhouse.orders.rules import Order, OrderNotFound, OrderNotRefundable, OrderStatus
from fullhouse.orders.writes import count_live_units, end_units, lock_order, mark_order


async def cancel_units(
    conn: Connection, make_id: MakeId, organization_id: UUID, order_id: UUID, unit_ids: Sequence[UUID]
) -> Order:
    """Cancel live units of a paid order. The caller returns their stock and requests their refund.

    Locks the order, after the stock. All or nothing: raises ``OrderNotRefundable`` where one of the units is not
    live any more, and the caller's transaction must then be given up. When no live unit is left the order is
    ``refunded``, and that is announced.
    """
    order = await lock_order(conn, organization_id, order_id)
    if order is None:
        raise OrderNotFound
    if order.status is not OrderStatus.PAID:
        raise OrderNotRefundable(order_id=str(order_id), order_status=order.status.value)
    ended = await end_units(conn, organization_id, order_id, unit_ids)
    if len(ended) != len(set(unit_ids)):
        raise OrderNotRefundable("Some of these units are cancelled already.", order_id=str(order_id))
    if await count_live_units(conn, organization_id, order_id):
        return order
    refunded = await mark_order(conn, organization_id, order_id, OrderStatus.REFUNDED)
    assert refunded is not None  # noqa: S101 (it is locked and paid)
    await append(conn, make_id, [OrderRefunded(refunded)])
    return refunded
