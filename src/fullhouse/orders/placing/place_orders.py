"""Placing orders from what reservations hold, with few statements for however many are placed together."""

from collections.abc import Sequence

from fullhouse.core.errors import DomainError
from fullhouse.core.ids import MakeId
from fullhouse.core.secrets import derive_secret, hash_secret
from fullhouse.infra.directory import register
from fullhouse.infra.outbox import Told, append_many, in_the_name_of
from fullhouse.infra.postgres import Connection, constraint_errors
from fullhouse.orders.lines import lines_of
from fullhouse.orders.mark_order_paid import mark_order_paid
from fullhouse.orders.messages import OrderPlaced
from fullhouse.orders.persons.keep_given import keep_given
from fullhouse.orders.placing.agree_orders import Agreed, agree_orders
from fullhouse.orders.placing.asked import Asked, PlacedOrder
from fullhouse.orders.rules import OrderExists, hash_email
from fullhouse.orders.writes import NewOrder, insert_orders
from fullhouse.pricing.use_code import count_use
from fullhouse.reservations.deadlines.extend_held import extend_held
from fullhouse.reservations.sell_reservation import sell_reservation

Outcome = PlacedOrder | DomainError


async def place_orders(
    conn: Connection, make_id: MakeId, order_key: bytes, asked: Sequence[Asked]
) -> list[Outcome | None]:
    """Place the one order of each of some held reservations of an organization, and hold its places from now.

    ``order_key`` is the server's key for order secrets: the buyer's secret is ``derive_secret(order_key, id)``.
    An order of zero total is sold and paid in this transaction. Announces ``order.placed``. Returns for each its order,
    or what it is refused with before anything of it is written: ``ReservationNotFound`` (also for a wrong token),
    ``ReservationExpired``, ``OrderExists``, ``NotOnSale``, ``LimitPerBuyer``, ``CodeNotValid``, ``Invalid`` for a code
    that is not the one of the hold, and ``Invalid`` and ``FormChanged`` for what is given beside. None where others
    stand beside it and it is to be placed alone: it needs the stock or a code, or its reservation stands there twice.
    """
    if not asked:
        return []
    organization_id = asked[0].request.organization_id
    agreed, refused = await agree_orders(conn, organization_id, [one.request for one in asked])
    outcomes: dict[int, Outcome] = {**refused}
    if agreed:
        orders = await _write(conn, [_new_order(make_id, order_key, one) for one in agreed], agreed)
        told = [(OrderPlaced(one.order), asked[place]) for place, one in orders.items()]
        await append_many(conn, make_id, [Told(fact, by.request_id, by.traceparent) for fact, by in told])
        for place, one in orders.items():
            with in_the_name_of(asked[place].request_id):
                outcomes[place] = one if one.order.total_minor else await _pay_nothing(conn, make_id, one)
    return [outcomes.get(place) for place in range(len(asked))]


def _new_order(make_id: MakeId, order_key: bytes, agreed: Agreed) -> NewOrder:
    request, reservation = agreed.request, agreed.held.reservation
    order_id = make_id()
    return NewOrder(
        organization_id=reservation.organization_id,
        order_id=order_id,
        event_id=agreed.terms.event_id,
        session_id=reservation.session_id,
        reservation_id=reservation.reservation_id,
        secret_hash=hash_secret(derive_secret(order_key, order_id)),
        currency=reservation.currency,
        language=request.language,
        lines=lines_of(agreed.items),
        contact=request.contact,
        email_hash=hash_email(order_key, request.contact.email),
        reason=request.reason,
    )


async def _write(conn: Connection, new: Sequence[NewOrder], agreed: Sequence[Agreed]) -> dict[int, PlacedOrder]:
    """Write pending orders with their lines, who bought and what they said, and hold their places from now."""
    organization_id = new[0].organization_id
    extended = await extend_held(conn, organization_id, [(one.held, one.terms.hold_seconds) for one in agreed])
    with constraint_errors({"orders_one_per_reservation": OrderExists}):
        orders = await insert_orders(conn, organization_id, new)
    await register(conn, "order", organization_id, [order.order_id for order in orders])
    given = [(row.order_id, one.held.reservation, one.request.given) for row, one in zip(new, agreed, strict=True)]
    await keep_given(conn, organization_id, given)
    for row, one in zip(new, agreed, strict=True):
        if one.code is not None:
            await count_use(conn, one.code, row.order_id)
    return {
        one.place: PlacedOrder(order, row.lines, reservation.expires_at)
        for one, order, row, reservation in zip(agreed, orders, new, extended, strict=True)
    }


async def _pay_nothing(conn: Connection, make_id: MakeId, placed: PlacedOrder) -> PlacedOrder:
    order = placed.order
    sold = await sell_reservation(conn, make_id, order.organization_id, order.reservation_id)
    assert sold is not None  # noqa: S101 (this transaction has just extended it, and holds its lock)
    paid = await mark_order_paid(conn, make_id, order.organization_id, order.order_id, sold.items)
    return PlacedOrder(paid, placed.lines, placed.expires_at)
