"""Marking an order paid: its units come to life, and tickets follow from what is announced here."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection
from fullhouse.orders.lines import as_agreed, lines_of, units_of
from fullhouse.orders.messages import OrderPaid
from fullhouse.orders.queries import load_lines
from fullhouse.orders.rules import Order, OrderNotPending, OrderStatus
from fullhouse.orders.writes import insert_units, mark_order, replace_lines
from fullhouse.pricing.use_code import use_again
from fullhouse.reservations.rules import HeldItem


async def mark_order_paid(
    conn: Connection, make_id: MakeId, organization_id: UUID, order_id: UUID, items: Sequence[HeldItem]
) -> Order:
    """Mark an order paid for what its reservation sold, in the transaction that sold it.

    ``items`` are those of the sold reservation: after late money they may be other seats than were ordered, and
    the order's lines are then replaced. Announces ``order.paid``. Raises ``OrderNotPending`` where the order is
    paid or refunded already; the caller's transaction must then be given up.
    """
    order = await mark_order(conn, organization_id, order_id, OrderStatus.PAID)
    if order is None:
        raise OrderNotPending(order_id=str(order_id))
    await use_again(conn, organization_id, order_id)
    agreed = await load_lines(conn, organization_id, order_id)
    items = as_agreed(items, agreed)
    lines = lines_of(items)
    if lines != agreed:
        await replace_lines(conn, organization_id, order_id, lines)
    await insert_units(conn, organization_id, [(order, make_id(), unit) for unit in units_of(items)])
    await append(conn, make_id, [OrderPaid(order)])
    return order
