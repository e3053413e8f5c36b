"""The seating-plan JSON of pretix, read: zones with rows of seats, positions relative to row and zone.

The form is public (``seating-plan.schema.json`` in the sources of pretix) and still grows, so members that are not
known are passed over. Its areas are only drawn and have no capacity, and it does not say which seats are accessible.
"""

from math import cos, pi, radians, sin
from typing import Final

from fullhouse.core.json import Json
from fullhouse.seating.formats.fields import (
    COLOR,
    Members,
    list_at,
    members_of,
    optional_text_at,
    point_of,
    text_at,
)
from fullhouse.seating.formats.map_builder import MapBuilder, default_label
from fullhouse.seating.rules import (
    COORDINATE_MAX,
    KEY_CHARACTERS_MAX,
    LANDMARKS_MAX,
    NAME_CHARACTERS_MAX,
    OUTLINE_POINTS_MAX,
    PRICE_CATEGORIES_MAX,
    ROWS_PER_SECTION_MAX,
    SEATS_PER_ROW_MAX,
    SECTIONS_MAX,
    Landmark,
    Place,
    Point,
    PriceCategory,
    Problems,
    Seat,
    SeatMap,
)

_ROUND_CORNERS: Final = 24
_ORIGIN: Final = Point(0.0, 0.0)


def read_pretix_format(document: Members, problems: Problems) -> SeatMap:
    """Read a plan. Raises ``SeatMapInvalid`` with all problems."""
    return _Reader(problems).read(document)


class _Reader:
    """Walks through one plan."""

    def __init__(self, problems: Problems) -> None:
        """Note problems there."""
        self._problems = problems
        self._builder = MapBuilder(problems)
        self._zone_keys: set[str] = set()
        self._many_zones = False
        self._landmark_count = 0

    def read(self, document: Members) -> SeatMap:
        """Read categories, then zones. Zones without seats give only what is drawn."""
        problems = self._problems
        name = text_at(document, "name", (), problems)
        for at, item in enumerate(list_at(document, "categories", (), problems, PRICE_CATEGORIES_MAX)):
            self._read_category(item, ("categories", at))
        zones = [
            (("zones", at), members_of(item, ("zones", at), problems))
            for at, item in enumerate(list_at(document, "zones", (), problems, SECTIONS_MAX))
        ]
        self._many_zones = sum(1 for _, zone in zones if _has_seats(zone)) > 1
        rank = 0
        for place, zone in zones:
            origin = self._position(zone, place, _ORIGIN)
            if _has_seats(zone) or not isinstance(zone.get("rows", []), list):
                self._read_zone(zone, place, origin, rank)
                rank += 1
            self._read_areas(zone, place, origin)
        return self._builder.finish(name)

    def _read_category(self, item: Json, place: Place) -> None:
        members = members_of(item, place, self._problems)
        name = text_at(members, "name", place, self._problems, KEY_CHARACTERS_MAX)
        color = members.get("color")
        drawn = color if isinstance(color, str) and COLOR.fullmatch(color) else None
        self._builder.add_category((*place, "name"), PriceCategory(name, name, drawn))

    def _read_zone(self, zone: Members, place: Place, origin: Point, rank: int) -> None:
        problems = self._problems
        name = optional_text_at(zone, "name", place, problems) if zone.get("name") else None
        name = name or f"Zone {rank + 1}"
        given = optional_text_at(zone, "zone_id", place, problems) if zone.get("zone_id") else None
        key = _unused((given or name)[: KEY_CHARACTERS_MAX - 10], self._zone_keys)
        self._builder.begin_section(place, key)
        row_keys: set[str] = set()
        for at, item in enumerate(list_at(zone, "rows", place, problems, ROWS_PER_SECTION_MAX)):
            here = (*place, "rows", at)
            row = members_of(item, here, problems)
            if row.get("seats") != []:
                self._read_row(row, here, origin, (name, row_keys))
        self._builder.end_section(key, name, rank, None)

    def _read_row(self, row: Members, place: Place, origin: Point, zone: tuple[str, set[str]]) -> None:
        problems = self._problems
        zone_name, row_keys = zone
        # A row may have no number: tables and benches do not show one.
        number = (optional_text_at(row, "row_number", place, problems) if row.get("row_number") else None) or ""
        label = optional_text_at(row, "row_label", place, problems) if row.get("row_label") else None
        seat_label = optional_text_at(row, "seat_label", place, problems) if row.get("seat_label") else None
        name = (label or "Row %s").replace("%s", number).strip()[:NAME_CHARACTERS_MAX]
        key = _unused(number[: KEY_CHARACTERS_MAX - 10] or "row", row_keys)
        start = self._position(row, place, origin)
        before = default_label(zone_name if self._many_zones else None, name, "")
        first = self._builder.next_index
        seats: list[tuple[Place, Seat]] = []
        for at, item in enumerate(list_at(row, "seats", place, problems, SEATS_PER_ROW_MAX)):
            here = (*place, "seats", at)
            seats.append((here, self._read_seat(item, here, first + at, start, (before, seat_label))))
        if seats:
            self._builder.add_row(place, key, name, seats)

    def _read_seat(self, item: Json, place: Place, index: int, start: Point, label: tuple[str, str | None]) -> Seat:
        problems = self._problems
        members = members_of(item, place, problems)
        number = text_at(members, "seat_number", place, problems, KEY_CHARACTERS_MAX)
        category = text_at(members, "category", place, problems, KEY_CHARACTERS_MAX)
        self._builder.check_category((*place, "category"), category)
        at = self._position(members, place, start, needed=True)
        before, pattern = label
        shown = pattern.replace("%s", number) if pattern else number
        return Seat(
            index=index,
            key=text_at(members, "seat_guid", place, problems, KEY_CHARACTERS_MAX) or f"#{index}",
            number=number,
            label=before + shown,
            x=at.x,
            y=at.y,
            price_category=category,
        )

    def _position(self, members: Members, place: Place, origin: Point, *, needed: bool = False) -> Point:
        """Return a position relative to an origin; rows and zones without one are at it."""
        if not needed and members.get("position") is None:
            return origin
        here = (*place, "position")
        if members.get("position") is None:
            self._problems.add(here, "is missing")
            return origin
        point = point_of(members["position"], here, self._problems)
        moved = Point(round(origin.x + point.x, 6), round(origin.y + point.y, 6))
        if max(abs(moved.x), abs(moved.y)) > COORDINATE_MAX:
            self._problems.add(here, f"lies more than {COORDINATE_MAX:,} from the origin of the plan")
            return origin
        return moved

    def _read_areas(self, zone: Members, place: Place, origin: Point) -> None:
        """Keep what is drawn and has a name: a stage, a bar. Shapes without words are left out."""
        for at, item in enumerate(list_at(zone, "areas", place, self._problems, LANDMARKS_MAX)):
            here = (*place, "areas", at)
            area = members_of(item, here, self._problems)
            name = _words(area)
            if name and self._landmark_count < LANDMARKS_MAX:
                self._landmark_count += 1
                self._builder.add_landmark(Landmark(name, _outline(area, self._position(area, here, origin))))


def _has_seats(zone: Members) -> bool:
    """Say whether a zone has a row with seats."""
    rows = zone.get("rows")
    return isinstance(rows, list) and any(not isinstance(row, dict) or row.get("seats") != [] for row in rows)


def _unused(key: str, used: set[str]) -> str:
    """Return a key that is not used yet, numbered if need be: rows of two blocks may share a number."""
    candidate, number = key, 2
    while candidate in used:
        candidate = f"{key}-{number}"
        number += 1
    used.add(candidate)
    return candidate


def _words(area: Members) -> str:
    """Return the words on an area, in both ways of writing them."""
    text = area.get("text")
    words = text.get("text") if isinstance(text, dict) else text
    printable = "".join(letter for letter in words if letter.isprintable()) if isinstance(words, str) else ""
    return printable.strip()[:NAME_CHARACTERS_MAX]


def _outline(area: Members, at: Point) -> tuple[Point, ...]:
    """Return the outline of an area, turned as the plan says; one point for what has no shape."""
    angle = radians(_number(area.get("rotation")))
    turned = [
        Point(round(at.x + x * cos(angle) - y * sin(angle), 3), round(at.y + x * sin(angle) + y * cos(angle), 3))
        for x, y in _corners(area)
    ]
    return tuple(turned) or (at,)


def _corners(area: Members) -> list[tuple[float, float]]:
    """Return the corners of an area relative to its position."""
    shape = area.get("shape", "rectangle")
    if shape == "polygon":
        points = _member(area, "polygon").get("points")
        corners = [_pair(point) for point in points] if isinstance(points, list) else []
        return corners[:OUTLINE_POINTS_MAX]
    if shape == "rectangle":
        box = _member(area, "rectangle") or area
        width, height = _number(box.get("width")), _number(box.get("height"))
        return [(0, 0), (width, 0), (width, height), (0, height)] if width and height else []
    if shape == "ellipse":
        width, height = _pair(_member(area, "ellipse").get("radius"))
    else:
        width = height = _number(_member(area, "circle").get("radius")) if shape == "circle" else 0.0
    if not width or not height:
        return []
    turns = [2 * pi * step / _ROUND_CORNERS for step in range(_ROUND_CORNERS)]
    return [(width * cos(turn), height * sin(turn)) for turn in turns]


def _member(members: Members, name: str) -> Members:
    """Return a member that is an object, or one without members."""
    value = members.get(name)
    return value if isinstance(value, dict) else {}


def _pair(value: Json) -> tuple[float, float]:
    """Return x and y of a drawn point, zero for what is none."""
    members = value if isinstance(value, dict) else {}
    return _number(members.get("x")), _number(members.get("y"))


def _number(value: Json) -> float:
    """Return a number of a drawing, zero for what is none or out of bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if abs(value) <= COORDINATE_MAX else 0.0
