"""The parts of a session among which a buyer may choose: sections, areas, or price categories. Pure."""

from base64 import b64decode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from fullhouse.catalogue.show_event import SessionView
from fullhouse.core.json import Json
from fullhouse.seating.rules import SeatMap

PlaceKind = Literal["best", "section", "area", "category"]
AVAILABLE = 0


@dataclass(frozen=True, slots=True)
class RoomLeft:
    """What is left in a room: the state of each seat in map order, and places in areas by key."""

    seat_states: bytes
    areas: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TypePrices:
    """What one ticket type costs somewhere: its price in each price category there."""

    ticket_type: str
    amounts_minor: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Of what a place consists, so that what is left there can be counted anew: in an area, or in price categories.

    With ``first`` and ``count``, no more than the seats in this run of them that are free.
    """

    area: str | None = None
    categories: tuple[str, ...] = ()
    first: int | None = None
    count: int | None = None

    def to_json(self) -> dict[str, Json]:
        """Return it as the page's script reads it."""
        if self.area is not None:
            return {"area": self.area}
        run: dict[str, Json] = {} if self.first is None else {"first": self.first, "count": self.count}
        return {"categories": self.categories, **run}


@dataclass(frozen=True, slots=True)
class Place:
    """One choice of where to be, with the prices that each ticket type has there."""

    kind: PlaceKind
    key: str
    name: str
    available: int
    prices: tuple[TypePrices, ...]
    parts: tuple["Part", ...]

    @property
    def value(self) -> str:
        """Return what the form sends."""
        return f"{self.kind}:{self.key}"


@dataclass(frozen=True, slots=True)
class _Section:
    key: str
    name: str
    first: int
    count: int
    categories: frozenset[str]


def places_of(view: SessionView, seat_map: SeatMap | None, left: RoomLeft | None) -> tuple[Place, ...]:
    """List the places among which to choose; none where there is no choice."""
    if seat_map is None or left is None:
        places = _categories(view)
    else:
        places = [*_sections(view, seat_map, left), *_areas(view, seat_map, left)]
    return tuple(places) if len(places) > 1 else ()


def only_area(view: SessionView, seat_map: SeatMap | None) -> str | None:
    """Return the key of the area where there is nothing else to choose."""
    if seat_map is None or seat_map.seat_count:
        return None
    sold_in = _left_by_category(view)
    areas = [area.key for area in seat_map.areas if area.price_category in sold_in]
    return areas[0] if len(areas) == 1 else None


def has_accessible_seats(seat_map: SeatMap | None) -> bool:
    """Say whether the room has wheelchair places."""
    return seat_map is not None and _has_accessible(seat_map)


def unpack_seats(packed: str) -> bytes:
    """Read the seats of an availability answer: one byte each, with up to three more at the end."""
    data = b64decode(packed)
    states = bytearray(4 * len(data))
    for quarter, table in enumerate(_TABLES):
        states[quarter::4] = data.translate(table)
    return bytes(states)


_TABLES = tuple(bytes(byte >> 2 * quarter & 3 for byte in range(256)) for quarter in range(4))


def _left_by_category(view: SessionView) -> dict[str, int]:
    """Return the most that any ticket type on sale may still have of a price category, by the category's key."""
    left: dict[str, int] = {}
    for offer in view.offers:
        if offer.ticket_type.on_sale:
            for one in offer.prices:
                left[one.category.key] = max(left.get(one.category.key, 0), one.available)
    return left


def _prices_in(view: SessionView, keys: Collection[str]) -> tuple[TypePrices, ...]:
    """Collect what each ticket type on sale costs in some price categories."""
    found = (
        (offer.ticket_type.name, tuple(one.quote.total_minor for one in offer.prices if one.category.key in keys))
        for offer in view.offers
        if offer.ticket_type.on_sale
    )
    return tuple(TypePrices(name, amounts) for name, amounts in found if amounts)


def _categories(view: SessionView) -> list[Place]:
    """Without a map, price categories are a choice only where one ticket type is sold in several of them."""
    if all(len(offer.prices) <= 1 for offer in view.offers if offer.ticket_type.on_sale):
        return []
    left = _left_by_category(view)
    return [
        Place("category", one.key, one.name, left[one.key], _prices_in(view, {one.key}), (Part(categories=(one.key,)),))
        for one in view.terms.price_categories
        if one.key in left
    ]


def _sections(view: SessionView, seat_map: SeatMap, left: RoomLeft) -> list[Place]:
    left_of = _left_by_category(view)
    places: list[Place] = []
    for section in _sections_of(seat_map):
        sold_in = section.categories & left_of.keys()
        if sold_in:
            free = left.seat_states.count(AVAILABLE, section.first, section.first + section.count)
            available = min(free, sum(left_of[key] for key in sold_in))
            part = Part(None, tuple(sorted(sold_in)), section.first, section.count)
            prices = _prices_in(view, sold_in)
            places.append(Place("section", section.key, section.name, available, prices, (part,)))
    if not places:
        return []
    everywhere = frozenset[str]().union(*(section.categories for section in _sections_of(seat_map)))
    available = sum(place.available for place in places)
    name = places[0].name if len(places) == 1 else ""
    parts = tuple(part for place in places for part in place.parts)
    best = Place("best", "", name, available, _prices_in(view, everywhere), parts)
    return [best, *places] if len(places) > 1 else [best]


def _areas(view: SessionView, seat_map: SeatMap, left: RoomLeft) -> list[Place]:
    sold_in = _left_by_category(view)
    return [
        Place(
            "area",
            area.key,
            area.name,
            left.areas.get(area.key, 0),
            _prices_in(view, {area.price_category}),
            (Part(area.key),),
        )
        for area in seat_map.areas
        if area.price_category in sold_in
    ]


@lru_cache(maxsize=256)
def _sections_of(seat_map: SeatMap) -> tuple[_Section, ...]:
    found: list[_Section] = []
    for section in seat_map.sections:
        seats = [seat for row in section.rows for seat in row.seats]
        if seats:
            categories = frozenset(seat.price_category for seat in seats)
            found.append(_Section(section.key, section.name, seats[0].index, len(seats), categories))
    return tuple(found)


@lru_cache(maxsize=256)
def _has_accessible(seat_map: SeatMap) -> bool:
    return any(seat.accessible for seat in seat_map.seats)
