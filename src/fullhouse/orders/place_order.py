"""Placing an order from what a reservation holds."""

from fullhouse.core.errors import DomainError
from fullhouse.core.ids import MakeId
from fullhouse.infra.outbox import request_id
from fullhouse.infra.postgres import Connection
from fullhouse.infra.tracing import traceparent
from fullhouse.orders.placing.asked import Asked, OrderRequest, PlacedOrder
from fullhouse.orders.placing.place_orders import place_orders

__all__ = ["OrderRequest", "PlacedOrder", "place_order"]


async def place_order(conn: Connection, make_id: MakeId, order_key: bytes, request: OrderRequest) -> PlacedOrder:
    """Place the one order of a held reservation: ``place_orders`` for a single one. Raises what refuses it there."""
    asked = Asked(request, request_id.get(), traceparent())
    (placed,) = await place_orders(conn, make_id, order_key, [asked])
    assert placed is not None  # noqa: S101 (nobody stands beside it)
    if isinstance(placed, DomainError):
        raise placed
    return placed
