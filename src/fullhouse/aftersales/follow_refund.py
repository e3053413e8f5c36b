"""Following a refund that somebody made in the provider's own pages: what was wholly paid back lets nobody in."""

from uuid import UUID

from fullhouse.aftersales.refund_order import refund_order
from fullhouse.aftersales.rules import RefundWish
from fullhouse.core.ids import MakeId
from fullhouse.core.message import Message
from fullhouse.infra.postgres import Connection
from fullhouse.orders.queries import load_order
from fullhouse.orders.rules import OrderStatus
from fullhouse.payments.news import BY_HAND
from fullhouse.payments.queries import load_sold
from fullhouse.payments.request_refund import lock_order_money


async def follow_refund(conn: Connection, make_id: MakeId, message: Message) -> bool:
    """Void the tickets of an order, and return its stock, when a refund by hand has left nothing of what was paid.

    Less than all leaves the tickets valid, like a refund of an amount. Safe to repeat. Returns whether they were.
    """
    if message.data["reason"] != BY_HAND:
        return False
    organization_id, order_id = message.organization_id, UUID(str(message.data["order_id"]))
    await lock_order_money(conn, organization_id, order_id)
    order = await load_order(conn, organization_id, order_id)
    left = -sum((await load_sold(conn, organization_id, order_id)).values())
    if order is None or order.status is not OrderStatus.PAID or left > 0:
        return False
    done = await refund_order(conn, make_id, organization_id, order_id, RefundWish(reason=BY_HAND))
    return bool(done.unit_ids)
