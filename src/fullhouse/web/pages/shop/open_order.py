"""Opening an order by the address of its page: the secret in it is the only authority, so nothing else is asked."""

from uuid import UUID

from fullhouse.core.secrets import same_hash
from fullhouse.infra.postgres import Pool
from fullhouse.orders.find_order import find_order
from fullhouse.orders.rules import Order, OrderNotFound


async def open_order(pool: Pool, order_id: UUID, secret: str) -> Order:
    """Return the order that an address leads to. Raises ``OrderNotFound``, also for a wrong secret."""
    order = await find_order(pool, order_id)
    if not same_hash(secret, order.secret_hash):
        raise OrderNotFound
    return order
