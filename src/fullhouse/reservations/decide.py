"""The decision who gets the stock: a pure function of stock, terms and a batch of requests in order of arrival.

Each request gets all that it asks for or nothing. One that cannot be met takes nothing, so it does not stand in the
way of a smaller one behind it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.events.rules import SessionTerms, TicketType
from fullhouse.pricing.codes import OpenedCode
from fullhouse.reservations.choose_places import choose_places
from fullhouse.reservations.quote_items import quote_items
from fullhouse.reservations.rules import (
    HeldItem,
    ItemRequest,
    NotOnSale,
    NotSold,
    SeatTaken,
    SoldOut,
    draw_of,
    limit_error,
)
from fullhouse.reservations.stock import Places, Stock

# These are named tuples since thousands of them are made a second: a frozen dataclass takes three times as long.


class Request(NamedTuple):
    """One wish for a reservation. Its id is made before the first try, so that a retry finds what it did."""

    reservation_id: UUID
    items: tuple[ItemRequest, ...]
    token_hash: bytes = b""
    """The hash of the secret that will open the reservation."""
    code: OpenedCode | None = None
    """What the code that was shown does."""


class Granted(NamedTuple):
    """The stock has been taken for it."""

    request: Request
    places: Places


class Refused(NamedTuple):
    """Nothing has been taken for it. ``short`` says that stock which comes back could have changed the answer."""

    request: Request
    error: DomainError

    @property
    def short(self) -> bool:
        """Say whether it was refused for want of stock."""
        return isinstance(self.error, SoldOut | SeatTaken)


Decision = Granted | Refused


def decide(stock: Stock, terms: SessionTerms, requests: Sequence[Request], now: datetime) -> list[Decision]:
    """Decide on requests in order of arrival, taking from ``stock`` what is granted.

    ``now`` is the database's time, read after the stock was locked. An unforeseen error takes nothing either.
    """
    if not terms.on_sale_at(now):
        return [Refused(request, _not_on_sale(terms)) for request in requests]
    decisions: list[Decision] = []
    for request in requests:
        try:
            decisions.append(Granted(request, _take_again(stock, terms, request) or _take(stock, terms, request)))
        except DomainError as error:
            decisions.append(Refused(request, error))
    return decisions


def undo(stock: Stock, decisions: Sequence[Decision]) -> None:
    """Give back what decisions took, because they were not written."""
    for decision in reversed(decisions):
        if isinstance(decision, Granted):
            stock.give_back(decision.places.draw)


def _take_again(stock: Stock, terms: SessionTerms, request: Request) -> Places | None:
    """Take what an equal request took before, where that names no seats and there is room; else None.

    Most requests of an on-sale ask for the same few things, and what those are priced at follows from the terms.
    """
    known = stock.remembered(terms, request.items) if request.code is None else None
    if known is None:
        return None
    for counter, count in known.counts:
        if counter.available < count:
            return None
    for counter, count in known.counts:
        counter.held += count
    return known.places


def _take(stock: Stock, terms: SessionTerms, request: Request) -> Places:
    types = _check_limits(terms, request)
    taken: list[HeldItem] = []
    try:
        for number, (item, ticket_type) in enumerate(zip(request.items, types, strict=True)):
            places = choose_places(stock, terms, ticket_type, item, number)
            for held in places:
                stock.take(draw_of((held,)))
                taken.append(held)
    except BaseException:
        stock.give_back(draw_of(taken))
        raise
    granted = Places(tuple(_quoted(terms, request, taken)))
    if not granted.draw.seats and request.code is None:
        stock.remember(terms, request.items, granted)
    return granted


def _quoted(terms: SessionTerms, request: Request, taken: Sequence[HeldItem]) -> Sequence[HeldItem]:
    if request.code is None:
        return quote_items(terms.charges, taken)
    items = quote_items(terms.charges, taken, request.code.discount)
    return [replace(item, code_id=request.code.code_id) for item in items]


def _not_on_sale(terms: SessionTerms) -> NotOnSale:
    return NotOnSale(
        sales_from=terms.sales_from.isoformat() if terms.sales_from else None,
        sales_until=(terms.sales_until or terms.starts_at).isoformat(),
    )


def _check_limits(terms: SessionTerms, request: Request) -> list[TicketType]:
    items, opens = request.items, request.code.opens if request.code else frozenset[UUID]()
    by_id = {ticket_type.ticket_type_id: ticket_type for ticket_type in terms.ticket_types}
    counts: dict[UUID, int] = {}
    for number, item in enumerate(items):
        found = by_id.get(item.ticket_type_id)
        if found is None or not found.on_sale or (found.hidden and item.ticket_type_id not in opens):
            field = f"items[{number}].ticket_type_id"
            raise NotSold(errors=[{"field": field, "message": "is not a ticket type on sale here"}])
        counts[item.ticket_type_id] = counts.get(item.ticket_type_id, 0) + item.place_count
    asked = sum(counts.values())
    if asked > terms.per_order_max:
        raise limit_error(terms.per_order_max, asked)
    for ticket_type_id, count in counts.items():
        ticket_type = by_id[ticket_type_id]
        if ticket_type.per_order_max is not None and count > ticket_type.per_order_max:
            raise limit_error(ticket_type.per_order_max, count, ticket_type.name)
    return [by_id[item.ticket_type_id] for item in items]
