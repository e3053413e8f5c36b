"""Placing an order from what a reservation holds."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.core.secrets import derive_secret, hash_secret, same_hash
from fullhouse.events.form.queries import load_form
from fullhouse.events.queries import load_terms
from fullhouse.events.rules import SessionStatus, SessionTerms
from fullhouse.infra.directory import register
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection, constraint_errors
from fullhouse.orders.agree_price import agree_price, find_code, give_away, use_code
from fullhouse.orders.lines import lines_of, total_of
from fullhouse.orders.mark_order_paid import mark_order_paid
from fullhouse.orders.messages import OrderPlaced
from fullhouse.orders.persons.keep_given import keep_given
from fullhouse.orders.persons.rules import NOTHING_GIVEN, Given, check_given
from fullhouse.orders.queries import count_places_of_buyer, find_order_of_reservation
from fullhouse.orders.rules import Contact, LimitPerBuyer, Order, OrderExists, OrderLine, buyer_of, hash_email
from fullhouse.orders.writes import NewOrder, insert_contact, insert_lines, insert_order, lock_buyer
from fullhouse.reservations.extend_reservation import extend_reservation
from fullhouse.reservations.queries import load_reservation
from fullhouse.reservations.rules import (
    NotOnSale,
    Reservation,
    ReservationExpired,
    ReservationNotFound,
    SessionNotFound,
)
from fullhouse.reservations.sell_reservation import sell_reservation
from fullhouse.reservations.tokens import read_token


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a buyer sends: the reservation with the token that opens it, and who they are."""

    organization_id: UUID
    reservation_id: UUID
    token: str
    contact: Contact
    language: str
    given: Given = NOTHING_GIVEN
    code: str | None = None
    """A code as the buyer typed it; what the places were held with need not be shown again."""
    reason: str | None = None
    """Why the tickets are given away: their prices are taken off, nothing is charged, no limit per buyer holds."""


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order as it was placed, and until when its places are held."""

    order: Order
    lines: tuple[OrderLine, ...]
    expires_at: datetime


async def place_order(conn: Connection, make_id: MakeId, order_key: bytes, request: OrderRequest) -> PlacedOrder:
    """Place the one order of a held reservation, and hold its places for the session's time from now.

    ``order_key`` is the server's key for order secrets: the buyer's secret is ``derive_secret(order_key, id)``.
    An order of zero total is sold and paid in this transaction. Announces ``order.placed``. Raises
    ``ReservationNotFound`` (also for a wrong token), ``ReservationExpired``, ``OrderExists``, ``NotOnSale``,
    ``LimitPerBuyer``, ``CodeNotValid``, ``Invalid`` for a code that is not the one of the hold, and ``Invalid`` and
    ``FormChanged`` for what is given beside.
    """
    _, secret = read_token(request.token)
    known = await load_reservation(conn, request.organization_id, request.reservation_id)
    if known is None or not same_hash(secret, known.token_hash):
        raise ReservationNotFound
    terms = await _terms(conn, known)
    form = await load_form(conn, known.organization_id, terms.event_id)
    check_given(form, request.given, [(item.ticket_type_id, item.quantity) for item in known.items])
    buyer = buyer_of(request.contact.email)
    if terms.per_buyer_max is not None:
        # Before the stock is locked: whoever waits for the same buyer holds up nobody else.
        await lock_buyer(conn, terms.event_id, buyer)
    # Nobody needs the stock but those whose order may turn out to cost nothing, and is sold at once.
    may_be_free = known.total_minor == 0 or request.code is not None or request.reason is not None
    reservation = await _extend(conn, known, terms.hold_seconds, will_sell=may_be_free)
    opened = await find_code(conn, terms, known, request.code)
    if request.reason is None:
        await _check_limit(conn, terms, reservation, buyer)
        items = await agree_price(conn, terms, reservation, opened)
    else:
        items = give_away(reservation.items, request.reason)
    lines = lines_of(items)
    order = await _write_order(conn, make_id(), order_key, (request, terms, reservation), lines)
    if opened is not None and opened.code_id is not None:
        await use_code(conn, order.organization_id, order.order_id, opened.code_id, buyer)
    await append(conn, make_id, [OrderPlaced(order)])
    if order.total_minor == 0:
        order = await _pay_nothing(conn, make_id, order)
    return PlacedOrder(order, lines, reservation.expires_at)


async def _write_order(
    conn: Connection,
    order_id: UUID,
    order_key: bytes,
    agreed: tuple[OrderRequest, SessionTerms, Reservation],
    lines: tuple[OrderLine, ...],
) -> Order:
    """Write a pending order with its lines, and who bought."""
    request, terms, reservation = agreed
    organization_id = reservation.organization_id
    with constraint_errors({"orders_one_per_reservation": OrderExists}):
        order = await insert_order(
            conn,
            NewOrder(
                organization_id=organization_id,
                order_id=order_id,
                event_id=terms.event_id,
                session_id=reservation.session_id,
                reservation_id=reservation.reservation_id,
                secret_hash=hash_secret(derive_secret(order_key, order_id)),
                total_minor=total_of(lines),
                currency=reservation.currency,
                language=request.language,
                reason=request.reason,
            ),
        )
    await register(conn, "order", organization_id, [order_id])
    email_hash = hash_email(order_key, request.contact.email)
    await insert_contact(conn, organization_id, order_id, request.contact, email_hash)
    await keep_given(conn, order_id, reservation, request.given)
    await insert_lines(conn, organization_id, order_id, lines)
    return order


async def _terms(conn: Connection, reservation: Reservation) -> SessionTerms:
    terms = await load_terms(conn, reservation.organization_id, reservation.session_id)
    if terms is None:
        raise SessionNotFound
    if terms.status is SessionStatus.CANCELLED:
        raise NotOnSale("This session is cancelled.", session_id=str(reservation.session_id))
    return terms


async def _check_limit(conn: Connection, terms: SessionTerms, reservation: Reservation, buyer: str) -> None:
    limit = terms.per_buyer_max
    if limit is None:
        return
    count = await count_places_of_buyer(conn, terms.organization_id, terms.event_id, buyer)
    if count + reservation.quantity > limit:
        # How many it is already is not said: anybody can write down the address of somebody else.
        raise LimitPerBuyer(f"One buyer may have at most {limit} places of this event.", limit=limit)


async def _extend(conn: Connection, known: Reservation, seconds: int, *, will_sell: bool) -> Reservation:
    # A second order of the same reservation waits here for the first, and then hears its id.
    try:
        extended = await extend_reservation(
            conn, known.organization_id, known.reservation_id, seconds=seconds, will_sell=will_sell
        )
    except ReservationExpired:
        await _refuse_if_ordered(conn, known)
        raise
    await _refuse_if_ordered(conn, known)
    return extended


async def _refuse_if_ordered(conn: Connection, reservation: Reservation) -> None:
    order_id = await find_order_of_reservation(conn, reservation.organization_id, reservation.reservation_id)
    if order_id is not None:
        raise OrderExists(order_id=str(order_id))


async def _pay_nothing(conn: Connection, make_id: MakeId, order: Order) -> Order:
    sold = await sell_reservation(conn, make_id, order.organization_id, order.reservation_id)
    assert sold is not None  # noqa: S101 (this transaction has just extended it, and holds its lock)
    return await mark_order_paid(conn, make_id, order.organization_id, order.order_id, sold.items)
