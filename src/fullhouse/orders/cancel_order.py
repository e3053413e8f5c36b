"""Cancelling an order that is not paid: its stock goes back, once."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection
from fullhouse.orders.messages import OrderCancelled
from fullhouse.orders.queries import load_order
from fullhouse.orders.rules import Order, OrderNotFound, OrderStatus, refuse_unless_pending
from fullhouse.orders.writes import lock_order, mark_order
from fullhouse.pricing.use_code import return_uses
from fullhouse.reservations.release_reservation import release_reservation


async def cancel_order(
    conn: Connection, make_id: MakeId, organization_id: UUID, order_id: UUID, *, reason: str = "by_request"
) -> Order:
    """Cancel a pending order, give its stock back and announce ``order.cancelled``.

    Stock is locked before the order. The caller has made sure that no payment of it is open. Raises
    ``OrderNotFound``, ``OrderAlreadyPaid``, ``OrderNotPending``; the caller's transaction must then be given up.
    """
    known = await load_order(conn, organization_id, order_id)
    if known is None:
        raise OrderNotFound
    refuse_unless_pending(known)
    await release_reservation(conn, make_id, organization_id, known.reservation_id)
    order = await lock_order(conn, organization_id, order_id)
    assert order is not None  # noqa: S101 (orders are never deleted)
    refuse_unless_pending(order)
    cancelled = await mark_order(conn, organization_id, order_id, OrderStatus.CANCELLED)
    assert cancelled is not None  # noqa: S101 (it is locked and pending)
    await return_uses(conn, organization_id, [order_id])
    await append(conn, make_id, [OrderCancelled(cancelled, reason=reason)])
    await record(conn, organization_id, Act("order.cancel", "order", order_id))
    return cancelled
