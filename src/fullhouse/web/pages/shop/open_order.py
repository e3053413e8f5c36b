"""Opening an order by the address of its page: the secret in it is the only authority, so nothing else is asked."""

from uuid import UUID

from fastapi import Response
from fastapi.responses import RedirectResponse

from fullhouse.core.errors import DomainError
from fullhouse.core.secrets import same_hash
from fullhouse.infra.postgres import Pool
from fullhouse.orders.find_order import find_order
from fullhouse.orders.rules import Order, OrderNotFound
from fullhouse.web.pages.render import PRIVATE_HEADERS


async def open_order(pool: Pool, order_id: UUID, secret: str) -> Order:
    """Return the order that an address leads to. Raises ``OrderNotFound``, also for a wrong secret."""
    order = await find_order(pool, order_id)
    if not same_hash(secret, order.secret_hash):
        raise OrderNotFound
    return order


def order_path(order: Order, secret: str) -> str:
    """Return the address of an order's page."""
    return f"/orders/{order.order_id}/{secret}"


def lead_back(order: Order, secret: str, refused: DomainError | None = None, *, go: bool = False) -> Response:
    """Lead back to the page. What it cannot know by itself travels as a code in the address.

    ``go`` has the page send the buyer on to the provider's. A form may not lead there itself: the policy of our pages
    lets forms end here alone.
    """
    query = f"?notice={refused.code}" if refused else "?go=1" if go else ""
    return RedirectResponse(order_path(order, secret) + query, 303, headers=dict(PRIVATE_HEADERS))
