"""Expiring orders whose hold lapsed or was given back: the reaction to ``reservation.expired`` and ``released``."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.core.message import Message
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection
from fullhouse.orders.messages import OrderExpired
from fullhouse.orders.writes import expire_pending
from fullhouse.pricing.use_code import return_uses


async def expire_orders(conn: Connection, make_id: MakeId, message: Message) -> None:
    """Expire the pending orders of the reservations that a message names, and announce each.

    The stock went back when the reservations ended. Safe to repeat: an order that is not pending stays as it is.
    """
    named = cast("Sequence[str]", message.data["reservation_ids"])
    orders = await expire_pending(conn, message.organization_id, [UUID(reservation_id) for reservation_id in named])
    await return_uses(conn, message.organization_id, [order.order_id for order in orders])
    reason = "hold_lapsed" if message.type == "reservation.expired" else "given_back"
    await append(conn, make_id, [OrderExpired(order, reason=reason) for order in orders])
