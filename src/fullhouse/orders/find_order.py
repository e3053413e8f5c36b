"""Finding an order by its id alone."""

from uuid import UUID

from fullhouse.infra.directory import find_organization
from fullhouse.infra.postgres import Pool, connection
from fullhouse.orders.queries import load_order
from fullhouse.orders.rules import Order, OrderNotFound


async def find_order(pool: Pool, order_id: UUID) -> Order:
    """Find an order whoever's it is; the caller then asks for its secret, or for a right in its organization.

    Raises ``OrderNotFound``.
    """
    organization_id = await find_organization(pool, "order", order_id)
    if organization_id is None:
        raise OrderNotFound
    async with connection(pool, organization_id) as conn:
        order = await load_order(conn, organization_id, order_id)
    if order is None:
        raise OrderNotFound
    return order
