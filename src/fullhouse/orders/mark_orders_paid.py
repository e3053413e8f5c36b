"""Marking many orders paid, with few statements for them all."""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.postgres import Connection
from fullhouse.orders.lines import NewUnit, as_agreed, lines_of, units_of
from fullhouse.orders.queries import load_lines_of_orders
from fullhouse.orders.rules import Order, OrderLine, OrderNotPending, OrderStatus
from fullhouse.orders.writes import insert_units, mark_orders, replace_lines
from fullhouse.reservations.rules import HeldItem


class PaidOrder(NamedTuple):
    """An order that was marked paid, with its lines, and the ids of the units that came to life."""

    order: Order
    lines: tuple[OrderLine, ...]
    unit_ids: tuple[UUID, ...]


async def mark_orders_paid(
    conn: Connection, make_id: MakeId, organization_id: UUID, sold: Mapping[UUID, tuple[HeldItem, ...]]
) -> list[PaidOrder]:
    """Mark pending orders paid for what their reservations sold, in the transaction that sold it.

    ``sold`` names the items by order. The caller announces ``order.paid`` for each of what is returned, in the name of
    the request that paid it. Raises ``OrderNotPending`` where one of them is not pending any more; the caller's
    transaction must then be given up.
    """
    marked = await mark_orders(conn, organization_id, list(sold), OrderStatus.PAID)
    if len(marked) != len(sold):
        raise OrderNotPending
    agreed = await load_lines_of_orders(conn, organization_id, list(sold))
    paid: list[PaidOrder] = []
    units: list[tuple[Order, UUID, NewUnit]] = []
    for order in marked:
        items = as_agreed(sold[order.order_id], agreed[order.order_id])
        lines = lines_of(items)
        if lines != agreed[order.order_id]:
            await replace_lines(conn, organization_id, order.order_id, lines)
        live = [(order, make_id(), unit) for unit in units_of(items)]
        units += live
        paid.append(PaidOrder(order, lines, tuple(unit_id for _, unit_id, _ in live)))
    await insert_units(conn, organization_id, units)
    return paid
