"""What a seat map is: sections with rows and seats, standing areas, price categories. Immutable and complete.

Coordinates are in the units of the drawing, x to the right and y downwards, away from a stage at the top. A seat's
``index`` is its place in map order and never changes, since a session's bitmap of seats is positional; its ``key``
names it for good; its ``label`` is for people and may be shared by seats of different sections.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Final

from fullhouse.core.errors import Invalid, NotFound
from fullhouse.core.json import Json

SEATS_MAX: Final = 250_000
SECTIONS_MAX: Final = 2_000
ROWS_PER_SECTION_MAX: Final = 2_000
SEATS_PER_ROW_MAX: Final = 1_000
COMPANIONS_MAX: Final = 10
AREAS_MAX: Final = 1_000
AREA_CAPACITY_MAX: Final = 1_000_000
PRICE_CATEGORIES_MAX: Final = 200
LANDMARKS_MAX: Final = 2_000
OUTLINE_POINTS_MAX: Final = 500
NAME_CHARACTERS_MAX: Final = 200
KEY_CHARACTERS_MAX: Final = 100
COORDINATE_MAX: Final = 1_000_000
RANK_MAX: Final = 10_000
DOCUMENT_BYTES_MAX: Final = 64 * 1024 * 1024
PROBLEMS_SHOWN_MAX: Final = 50

Place = tuple[str | int, ...]
"""Where something stands in a file, from the top: ``("sections", 2, "rows", 0, "key")``."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the drawing."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class PriceCategory:
    """What a place is worth. ``color`` is a CSS hex colour or colour name for the drawing."""

    key: str
    name: str
    color: str | None = None


@dataclass(frozen=True, slots=True)
class Seat:
    """One numbered seat. ``companions`` are the keys of the seats kept beside an accessible one."""

    index: int
    key: str
    number: str
    label: str
    x: float
    y: float
    price_category: str
    accessible: bool = False
    companions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """Seats side by side. Rows that follow each other in a section are neighbours in the room."""

    key: str
    name: str
    seats: tuple[Seat, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the room. Of two sections the one with the lower ``rank`` is sold first by best available."""

    key: str
    name: str
    rank: int
    best_place: Point
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Area:
    """Standing room: places without seats."""

    key: str
    name: str
    capacity: int
    price_category: str
    outline: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Landmark:
    """Something that is drawn and not sold: a stage, a bar, a name. One point of outline is a mere label."""

    name: str
    outline: tuple[Point, ...]


@dataclass(frozen=True, eq=False)
class SeatMap:
    """One immutable version of a room. Compared and hashed by identity, since a map may hold very many seats."""

    name: str
    price_categories: tuple[PriceCategory, ...]
    sections: tuple[Section, ...]
    areas: tuple[Area, ...] = ()
    landmarks: tuple[Landmark, ...] = ()

    @cached_property
    def seats(self) -> tuple[Seat, ...]:
        """All seats in map order: ``seats[i].index == i``."""
        return tuple(chain.from_iterable(row.seats for section in self.sections for row in section.rows))

    @cached_property
    def section_of_seat(self) -> tuple[Section, ...]:
        """The section of each seat, by index."""
        return tuple(section for section in self.sections for row in section.rows for _ in row.seats)

    @cached_property
    def index_by_key(self) -> dict[str, int]:
        """The index of each seat's key."""
        return {seat.key: seat.index for seat in self.seats}

    @cached_property
    def index_by_label(self) -> dict[str, int]:
        """The index of each label that only one seat has."""
        shared = set(self.ambiguous_labels)
        return {seat.label: seat.index for seat in self.seats if seat.label not in shared}

    @cached_property
    def ambiguous_labels(self) -> tuple[str, ...]:
        """Labels that several seats have, in map order. Such seats can be chosen by key only."""
        seen: dict[str, int] = {}
        for seat in self.seats:
            seen[seat.label] = seen.get(seat.label, 0) + 1
        return tuple(label for label, count in seen.items() if count > 1)

    @cached_property
    def area_by_key(self) -> dict[str, Area]:
        """The areas by their keys."""
        return {area.key: area for area in self.areas}

    @cached_property
    def places_by_category(self) -> dict[str, int]:
        """How many seats and standing places each price category has."""
        counts = {category.key: 0 for category in self.price_categories}
        for seat in self.seats:
            counts[seat.price_category] += 1
        for area in self.areas:
            counts[area.price_category] += area.capacity
        return counts

    @property
    def seat_count(self) -> int:
        """How many seats there are."""
        return len(self.seats)

    @property
    def place_count(self) -> int:
        """Seats and standing places together."""
        return self.seat_count + sum(area.capacity for area in self.areas)

    def find_seat(self, key_or_label: str) -> int | None:
        """Return the index of the seat with this key, or else with this unambiguous label."""
        index = self.index_by_key.get(key_or_label)
        return self.index_by_label.get(key_or_label) if index is None else index


@dataclass(frozen=True, slots=True)
class SeatWish:
    """What a party asks for, beside how many it is.

    ``categories`` are the price categories in which its ticket type has a price, None for all; ``section`` is a
    section's key. Of the party's seats ``accessible`` are accessible ones, with ``companions`` beside them.
    """

    categories: frozenset[str] | None
    section: str | None = None
    accessible: int = 0
    companions: int = 0


class SeatMapInvalid(Invalid):
    """A seat map cannot be read. ``errors`` names the places in the file; ``error_count`` counts those cut off too."""

    code = "seat_map_invalid"
    title = "The seat map is not valid."


class SeatMapNotFound(NotFound):
    """There is no such seat map."""

    code = "seat_map_not_found"
    title = "There is no such seat map."


def written_place(place: Place) -> str:
    """Write a place the way people look for it in a file: ``sections[2].rows[0].seats[14].key``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".") or "the document"


class Problems:
    """Collects what is wrong with a file, so that one try tells everything: the first 50, and how many in all."""

    def __init__(self) -> None:
        """Begin without problems."""
        self.count = 0
        self._shown: list[tuple[Place, str]] = []

    def add(self, place: Place, message: str) -> None:
        """Note one problem at one place."""
        self.count += 1
        if len(self._shown) < PROBLEMS_SHOWN_MAX:
            self._shown.append((place, message))

    def raise_if_any(self) -> None:
        """Raise ``SeatMapInvalid`` with all that was noted."""
        if not self.count:
            return
        errors: Sequence[Json] = [{"field": written_place(place), "message": text} for place, text in self._shown]
        place, message = self._shown[0]
        more = "" if self.count == 1 else f" (and {self.count - 1} more)"
        detail = f"{written_place(place)}: {message}{more}"
        raise SeatMapInvalid(detail, errors=errors, error_count=self.count)
