"""Our own form of a seat map in JSON, read and written. ``docs/reference/seat-map-format.md`` describes it."""

from collections.abc import Sequence
from typing import Final

from fullhouse.core.json import Json
from fullhouse.seating.formats.fields import (
    Members,
    color_at,
    flag_at,
    list_at,
    members_of,
    number_at,
    optional_key_at,
    optional_text_at,
    outline_at,
    point_of,
    refuse_others,
    text_at,
    whole_at,
)
from fullhouse.seating.formats.map_builder import MapBuilder, default_label
from fullhouse.seating.rules import (
    AREA_CAPACITY_MAX,
    AREAS_MAX,
    COMPANIONS_MAX,
    KEY_CHARACTERS_MAX,
    LANDMARKS_MAX,
    NAME_CHARACTERS_MAX,
    PRICE_CATEGORIES_MAX,
    RANK_MAX,
    ROWS_PER_SECTION_MAX,
    SEATS_PER_ROW_MAX,
    SECTIONS_MAX,
    Area,
    Landmark,
    Place,
    PriceCategory,
    Problems,
    Seat,
    SeatMap,
)

FORMAT: Final = "fullhouse-seat-map"
FORMAT_VERSION: Final = 1
LABEL_CHARACTERS_MAX: Final = 3 * NAME_CHARACTERS_MAX

_DOCUMENT: Final = frozenset({"format", "version", "name", "price_categories", "sections", "areas", "landmarks"})
_CATEGORY: Final = frozenset({"key", "name", "color"})
_SECTION: Final = frozenset({"key", "name", "rank", "best_place", "price_category", "rows"})
_ROW: Final = frozenset({"key", "name", "price_category", "seats"})
_SEAT: Final = frozenset({"key", "number", "label", "x", "y", "price_category", "accessible", "companions"})
_AREA: Final = frozenset({"key", "name", "capacity", "price_category", "outline"})
_LANDMARK: Final = frozenset({"name", "outline"})


def read_fullhouse_format(document: Members, problems: Problems) -> SeatMap:
    """Read a document. Raises ``SeatMapInvalid`` with all problems."""
    refuse_others(document, _DOCUMENT, (), problems)
    if document.get("format", FORMAT) != FORMAT:
        problems.add(("format",), f"must be {FORMAT!r}")
    if document.get("version", FORMAT_VERSION) != FORMAT_VERSION:
        problems.add(("version",), f"must be {FORMAT_VERSION}: no other version of the format is known")
    return _Reader(problems).read(document)


class _Reader:
    """Walks through one document."""

    def __init__(self, problems: Problems) -> None:
        """Note problems there."""
        self._problems = problems
        self._builder = MapBuilder(problems)
        self._many_sections = False

    def read(self, document: Members) -> SeatMap:
        """Read all parts, those that others refer to first."""
        problems = self._problems
        name = text_at(document, "name", (), problems)
        for at, item in enumerate(list_at(document, "price_categories", (), problems, PRICE_CATEGORIES_MAX)):
            self._read_category(item, ("price_categories", at))
        sections = list_at(document, "sections", (), problems, SECTIONS_MAX)
        self._many_sections = len(sections) > 1
        for at, item in enumerate(sections):
            self._read_section(item, ("sections", at), at)
        for at, item in enumerate(list_at(document, "areas", (), problems, AREAS_MAX)):
            self._read_area(item, ("areas", at))
        for at, item in enumerate(list_at(document, "landmarks", (), problems, LANDMARKS_MAX)):
            self._read_landmark(item, ("landmarks", at))
        return self._builder.finish(name)

    def _read_category(self, item: Json, place: Place) -> None:
        problems = self._problems
        members = members_of(item, place, problems)
        refuse_others(members, _CATEGORY, place, problems)
        key = text_at(members, "key", place, problems, KEY_CHARACTERS_MAX)
        name = optional_text_at(members, "name", place, problems) or key
        category = PriceCategory(key, name, color_at(members, "color", place, problems))
        self._builder.add_category((*place, "key"), category)

    def _read_section(self, item: Json, place: Place, number: int) -> None:
        problems = self._problems
        members = members_of(item, place, problems)
        refuse_others(members, _SECTION, place, problems)
        key = text_at(members, "key", place, problems, KEY_CHARACTERS_MAX)
        name = optional_text_at(members, "name", place, problems) or key
        rank = number
        if members.get("rank") is not None:
            rank = whole_at(members, "rank", place, problems, low=0, high=RANK_MAX)
        best_place = None
        if members.get("best_place") is not None:
            best_place = point_of(members["best_place"], (*place, "best_place"), problems)
        self._builder.begin_section((*place, "key"), key)
        rows = list_at(members, "rows", place, problems, ROWS_PER_SECTION_MAX)
        if not members.get("rows"):
            problems.add((*place, "rows"), "must have a row at least")
        category = self._category_at(members, place)
        for at, row in enumerate(rows):
            self._read_row(row, (*place, "rows", at), (key, name), category)
        self._builder.end_section(key, name, rank, best_place)

    def _read_row(self, item: Json, place: Place, section: tuple[str, str], category: str | None) -> None:
        problems = self._problems
        members = members_of(item, place, problems)
        refuse_others(members, _ROW, place, problems)
        key = text_at(members, "key", place, problems, KEY_CHARACTERS_MAX)
        name = optional_text_at(members, "name", place, problems) or f"Row {key}"
        category = self._category_at(members, place) or category
        items = list_at(members, "seats", place, problems, SEATS_PER_ROW_MAX)
        if not items:
            if not members.get("seats"):
                problems.add((*place, "seats"), "must have a seat at least")
            return
        section_key, section_name = section
        before = f"{section_key}-{key}-"
        label_before = default_label(section_name if self._many_sections else None, name, "")
        first = self._builder.next_index
        seats: list[tuple[Place, Seat]] = []
        for at, seat in enumerate(items):
            here = (*place, "seats", at)
            seats.append((here, self._read_seat(seat, here, first + at, (before, label_before), category)))
        self._builder.add_row((*place, "key"), key, name, seats)

    def _read_seat(self, item: Json, place: Place, index: int, before: tuple[str, str], category: str | None) -> Seat:
        problems = self._problems
        members = members_of(item, place, problems)
        refuse_others(members, _SEAT, place, problems)
        number = text_at(members, "number", place, problems, KEY_CHARACTERS_MAX)
        own = self._category_at(members, place) or category
        if own is None:
            problems.add((*place, "price_category"), "is missing, here and in the row and the section")
        return Seat(
            index=index,
            # Seats without a number must not be told that they are there already, on top of it.
            key=optional_key_at(members, "key", place, problems) or before[0] + (number or f"#{index}"),
            number=number,
            label=optional_text_at(members, "label", place, problems, LABEL_CHARACTERS_MAX) or before[1] + number,
            x=number_at(members, "x", place, problems),
            y=number_at(members, "y", place, problems),
            price_category=own or "",
            accessible=flag_at(members, "accessible", place, problems),
            companions=self._companions(members, place) if "companions" in members else (),
        )

    def _companions(self, members: Members, place: Place) -> tuple[str, ...]:
        keys: list[str] = []
        for at, key in enumerate(list_at(members, "companions", place, self._problems, COMPANIONS_MAX)):
            if isinstance(key, str):
                keys.append(key)
            else:
                self._problems.add((*place, "companions", at), "must be the key of a seat")
        return tuple(keys)

    def _read_area(self, item: Json, place: Place) -> None:
        problems = self._problems
        members = members_of(item, place, problems)
        refuse_others(members, _AREA, place, problems)
        key = text_at(members, "key", place, problems, KEY_CHARACTERS_MAX)
        category = self._category_at(members, place)
        if category is None:
            problems.add((*place, "price_category"), "is missing")
        area = Area(
            key=key,
            name=optional_text_at(members, "name", place, problems) or key,
            capacity=whole_at(members, "capacity", place, problems, low=1, high=AREA_CAPACITY_MAX),
            price_category=category or "",
            outline=outline_at(members, "outline", place, problems),
        )
        self._builder.add_area((*place, "key"), area)

    def _read_landmark(self, item: Json, place: Place) -> None:
        problems = self._problems
        members = members_of(item, place, problems)
        refuse_others(members, _LANDMARK, place, problems)
        name = text_at(members, "name", place, problems)
        outline = outline_at(members, "outline", place, problems)
        if not outline:
            problems.add((*place, "outline"), "must have a point at least")
        self._builder.add_landmark(Landmark(name, outline))

    def _category_at(self, members: Members, place: Place) -> str | None:
        if "price_category" not in members:
            return None
        key = optional_key_at(members, "price_category", place, self._problems)
        if key:
            self._builder.check_category((*place, "price_category"), key)
        return key


def write_fullhouse_format(seat_map: SeatMap) -> dict[str, Json]:
    """Return the document of a map. Read again it gives an equal map: keys, indexes and labels included."""
    many = len(seat_map.sections) > 1
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "name": seat_map.name,
        "price_categories": [
            {"key": one.key, "name": one.name, **({"color": one.color} if one.color else {})}
            for one in seat_map.price_categories
        ],
        "sections": [
            {
                "key": section.key,
                "name": section.name,
                "rank": section.rank,
                "best_place": {"x": section.best_place.x, "y": section.best_place.y},
                "rows": [
                    {
                        "key": row.key,
                        "name": row.name,
                        "price_category": row.seats[0].price_category,
                        "seats": _write_seats(section.name if many else None, row.name, row.seats),
                    }
                    for row in section.rows
                ],
            }
            for section in seat_map.sections
        ],
        "areas": [
            {
                "key": area.key,
                "name": area.name,
                "capacity": area.capacity,
                "price_category": area.price_category,
                "outline": [[point.x, point.y] for point in area.outline],
            }
            for area in seat_map.areas
        ],
        "landmarks": [
            {"name": one.name, "outline": [[point.x, point.y] for point in one.outline]} for one in seat_map.landmarks
        ],
    }


def _write_seats(section: str | None, row: str, seats: Sequence[Seat]) -> list[Json]:
    """Write the seats of a row. Keys always, so that no default can ever move them; labels where they are special."""
    written: list[Json] = []
    for seat in seats:
        members: dict[str, Json] = {"key": seat.key, "number": seat.number, "x": seat.x, "y": seat.y}
        if seat.label != default_label(section, row, seat.number):
            members["label"] = seat.label
        if seat.price_category != seats[0].price_category:
            members["price_category"] = seat.price_category
        if seat.accessible:
            members["accessible"] = True
        if seat.companions:
            members["companions"] = list(seat.companions)
        written.append(members)
    return written
