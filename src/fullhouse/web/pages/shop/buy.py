"""Buying from a page: reserve and place the order in one step, once for each form that was sent."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from fullhouse.core.errors import DomainError, Kind
from fullhouse.core.secrets import derive_key, derive_secret
from fullhouse.infra.idempotency import fingerprint
from fullhouse.infra.postgres import connection, transaction
from fullhouse.infra.resources import Resources
from fullhouse.orders.persons.rules import NOTHING_GIVEN, Given
from fullhouse.orders.placing.asked import OrderRequest
from fullhouse.orders.placing.order_desk import OrderDesk
from fullhouse.orders.queries import find_orders_of_reservations
from fullhouse.orders.rules import Contact, OrderExists
from fullhouse.reservations.place_reservation import BoxOffice, Placed, RepeatedRefusal
from fullhouse.reservations.release_reservation import release_reservation
from fullhouse.reservations.rules import ItemRequest


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a form asks for. ``nonce`` is the form's own value: the same form twice is one purchase."""

    session_id: UUID
    items: tuple[ItemRequest, ...]
    contact: Contact
    language: str
    nonce: str
    given: Given = NOTHING_GIVEN
    code: str | None = None

    @property
    def key(self) -> str:
        """Return its idempotency key: of the form and of all that was entered, so that a changed form is a new one."""
        of_buyer = (self.contact.email, self.contact.name, repr(self.given), self.code or "")
        entered = "\x1f".join([self.nonce, *map(repr, self.items), *of_buyer])
        return f"page:{hashlib.sha256(entered.encode()).hexdigest()}"


def order_path(resources: Resources, order_id: UUID) -> str:
    """Return the address of an order's page; whoever has it is the order's holder."""
    return f"/orders/{order_id}/{derive_secret(derive_key(resources.secret_key, 'order'), order_id)}"


async def place_purchase(resources: Resources, office: BoxOffice, desk: OrderDesk, purchase: Purchase) -> str:
    """Reserve, place the order, and return the address of its page.

    Raises the refusals of ``BoxOffice.place_reservation`` and of ``OrderDesk.place``. If the order is refused for good,
    what was reserved goes back.
    """
    try:
        placed = await office.place_reservation(
            purchase.session_id, purchase.items, purchase.key, fingerprint(purchase.key), purchase.code
        )
    except RepeatedRefusal as repeated:
        raise repeated.error from repeated
    return order_path(resources, await _place_order(resources, desk, purchase, placed))


async def _place_order(resources: Resources, desk: OrderDesk, purchase: Purchase, placed: Placed) -> UUID:
    reservation = placed.reservation
    ids = (reservation.organization_id, reservation.reservation_id)
    request = OrderRequest(*ids, placed.token, purchase.contact, purchase.language, purchase.given)
    try:
        return (await desk.place(request)).order_id
    except OrderExists:
        # The same form came before, or at this moment.
        async with connection(resources.pool, ids[0]) as conn:
            ordered = await find_orders_of_reservations(conn, ids[0], [ids[1]])
        return ordered[ids[1]]
    except DomainError as refused:
        if refused.kind is not Kind.UNAVAILABLE:
            async with transaction(resources.pool, ids[0]) as conn:
                await release_reservation(conn, resources.make_id, *ids)
        raise
