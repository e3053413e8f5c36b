"""Agreeing on orders before anything of them is written: what they are placed from, for how long, at which price."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.core.secrets import same_hash
from fullhouse.events.form.queries import load_forms
from fullhouse.events.queries import load_terms_of_sessions
from fullhouse.events.rules import SessionStatus, SessionTerms
from fullhouse.infra.postgres import Connection
from fullhouse.orders.agree_price import agree_price, find_code, give_away, take_code
from fullhouse.orders.persons.rules import check_given
from fullhouse.orders.placing.asked import OrderRequest
from fullhouse.orders.queries import count_places_of_buyers, find_orders_of_reservations
from fullhouse.orders.rules import OrderExists, buyer_of, check_limit
from fullhouse.orders.writes import lock_buyers
from fullhouse.pricing.codes import Code
from fullhouse.reservations.deadlines.extend_held import HeldNow, lock_held
from fullhouse.reservations.queries import load_reservations
from fullhouse.reservations.rules import HeldItem, NotOnSale, Reservation, ReservationNotFound, SessionNotFound
from fullhouse.reservations.tokens import read_token


class Agreed(NamedTuple):
    """An order that nothing stands in the way of; ``place`` is its place among those that were asked for."""

    place: int
    request: OrderRequest
    terms: SessionTerms
    held: HeldNow
    items: tuple[HeldItem, ...]
    code: Code | None
    """What it uses, locked."""


async def agree_orders(
    conn: Connection, organization_id: UUID, requests: Sequence[OrderRequest]
) -> tuple[list[Agreed], dict[int, DomainError]]:
    """Open and lock what orders of an organization are placed from, and agree on their prices; write nothing.

    Returns those that can be placed, and by place what refuses others. Where several are asked for, those in neither
    are to be placed alone: they need the stock or a code, or stand there twice.
    """
    counter = _Counter(conn, organization_id)
    known = await counter.look(requests)
    held = await counter.lock(known if len(requests) == 1 else _sharing(known))
    return await counter.agree(held), counter.refused


class _Known(NamedTuple):
    """An order to place, by its place among those that are asked for, and what it is placed from."""

    place: int
    request: OrderRequest
    reservation: Reservation
    terms: SessionTerms

    @property
    def buyer(self) -> tuple[UUID, str]:
        """The buyer, of whose places of the event there may be a limit."""
        return self.terms.event_id, buyer_of(self.request.contact.email)

    @property
    def limit(self) -> int | None:
        """How many places of the event one buyer may have; what is given away has no limit."""
        return self.terms.per_buyer_max if self.request.reason is None else None

    @property
    def may_be_free(self) -> bool:
        """Say whether it may turn out to cost nothing: only then it is sold at once, and the stock is needed."""
        request = self.request
        return self.reservation.total_minor == 0 or request.code is not None or request.reason is not None


def _sharing(known: Sequence[_Known]) -> list[_Known]:
    """Return those that can be placed together: each reservation once, and none that others would have to wait for."""
    first: dict[UUID, _Known] = {}
    for one in known:
        first.setdefault(one.reservation.reservation_id, one)
    return [
        one for one in first.values() if not one.may_be_free and not any(item.code_id for item in one.reservation.items)
    ]


class _Counter:
    """Orders on their way to being agreed on, and what refuses some."""

    def __init__(self, conn: Connection, organization_id: UUID) -> None:
        self._conn = conn
        self._organization_id = organization_id
        self.refused: dict[int, DomainError] = {}

    async def look(self, requests: Sequence[OrderRequest]) -> list[_Known]:
        """Open the reservations, and check what is given against what their events ask."""
        conn, organization_id = self._conn, self._organization_id
        reservations = await load_reservations(conn, organization_id, {one.reservation_id for one in requests})
        session_ids = {one.session_id for one in reservations.values()}
        terms = await load_terms_of_sessions(conn, organization_id, session_ids)
        forms = await load_forms(conn, organization_id, {one.event_id for one in terms.values()})
        known: list[_Known] = []
        for place, request in enumerate(requests):
            try:
                reservation = _opened(request, reservations)
                of_session = _on_sale(terms.get(reservation.session_id))
                ordered = [(item.ticket_type_id, item.quantity) for item in reservation.items]
                check_given(forms[of_session.event_id], request.given, ordered)
            except DomainError as refused:
                self.refused[place] = refused
            else:
                known.append(_Known(place, request, reservation, of_session))
        return known

    async def lock(self, known: Sequence[_Known]) -> list[tuple[_Known, HeldNow]]:
        """Lock buyers, stocks and reservations, in this order; return those that are held and not ordered yet."""
        conn, organization_id = self._conn, self._organization_id
        if not known:
            return []
        buyers = {one.buyer for one in known if one.terms.per_buyer_max is not None}
        if buyers:
            # Before the stock is locked: whoever waits for the same buyer holds up nobody else.
            await lock_buyers(conn, buyers)
        reservations = [one.reservation for one in known]
        to_sell = {one.terms.session_id for one in known if one.may_be_free}
        # A second order of the same reservation waits here for the first, and then hears its id.
        locked = await lock_held(conn, organization_id, reservations, will_sell=to_sell)
        ids = [one.reservation_id for one in reservations]
        ordered = await find_orders_of_reservations(conn, organization_id, ids)
        held: list[tuple[_Known, HeldNow]] = []
        for one, found in zip(known, locked, strict=True):
            order_id = ordered.get(one.reservation.reservation_id)
            if order_id is not None:
                self.refused[one.place] = OrderExists(order_id=str(order_id))
            elif isinstance(found, DomainError):
                self.refused[one.place] = found
            else:
                held.append((one, found))
        return held

    async def agree(self, held: Sequence[tuple[_Known, HeldNow]]) -> list[Agreed]:
        """Agree on prices, within the limits of buyers and codes."""
        limited = {one.buyer for one, _ in held if one.limit is not None}
        counts: dict[tuple[UUID, str], int] = {}
        if limited:
            counts = await count_places_of_buyers(self._conn, self._organization_id, sorted(limited))
        agreed: list[Agreed] = []
        for one, now in held:
            try:
                agreed.append(await self._agree(one, now, counts))
            except DomainError as refused:
                self.refused[one.place] = refused
        return agreed

    async def _agree(self, one: _Known, held: HeldNow, counts: dict[tuple[UUID, str], int]) -> Agreed:
        request, reservation = one.request, held.reservation
        opened = await find_code(self._conn, one.terms, reservation, request.code)
        if one.limit is not None:
            # Orders that are placed together know of each other only here.
            counts[one.buyer] = check_limit(one.limit, counts.get(one.buyer, 0) + reservation.quantity)
        if request.reason is None:
            items = await agree_price(self._conn, one.terms, reservation, opened)
        else:
            items = give_away(reservation.items, request.reason)
        code = None
        if opened is not None and opened.code_id is not None:
            code = await take_code(self._conn, self._organization_id, opened.code_id, one.buyer[1])
        return Agreed(one.place, request, one.terms, held, items, code)


def _opened(request: OrderRequest, reservations: Mapping[UUID, Reservation]) -> Reservation:
    _, secret = read_token(request.token)
    known = reservations.get(request.reservation_id)
    if known is None or not same_hash(secret, known.token_hash):
        raise ReservationNotFound
    return known


def _on_sale(terms: SessionTerms | None) -> SessionTerms:
    if terms is None:
        raise SessionNotFound
    if terms.status is SessionStatus.CANCELLED:
        raise NotOnSale("This session is cancelled.", session_id=str(terms.session_id))
    return terms
