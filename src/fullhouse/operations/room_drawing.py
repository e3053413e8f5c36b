"""Draws rooms: rows along arcs and ovals, in metres, as parts of a seat map's document. Pure.

x grows to the right and y away from the stage. Rows are strings of marks: ``s`` a seat, ``a`` an accessible place,
``c`` a seat for the companion of the nearest ``a``, a space an aisle.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import cos, dist, hypot, pi, sin
from typing import Final

from fullhouse.core.json import Json

WIDTHS: Final = {"s": 0.55, "a": 0.8, "c": 0.55, " ": 1.1}
"""How wide each mark is, in metres."""

_OVAL_STEPS: Final = 1_440

Curve = Callable[[float], tuple[float, float]]
"""Returns the point at a distance along a row, measured from its middle."""


def arc(x: float, y: float, radius: float) -> Curve:
    """Return a curve around a point behind the stage, its middle straight below it."""
    return lambda along: (x + radius * sin(along / radius), y + radius * cos(along / radius))


def line(x: float, y: float) -> Curve:
    """Return a straight row."""
    return lambda along: (x + along, y)


def oval(half_width: float, half_depth: float) -> tuple[Curve, float]:
    """Return a curve around an oval floor, its middle at the end away from the stage, and the way once around."""
    turns = [2 * pi * step / _OVAL_STEPS for step in range(_OVAL_STEPS + 1)]
    points = [(half_width * sin(turn), half_depth * cos(turn)) for turn in turns]
    ways = [0.0]
    for before, after in pairwise(points):
        ways.append(ways[-1] + dist(before, after))
    around = ways[-1]

    def at(along: float) -> tuple[float, float]:
        way = along % around
        low, high = 0, _OVAL_STEPS
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if ways[middle] <= way else (low, middle)
        share = (way - ways[low]) / (ways[high] - ways[low])
        (x, y), (x_2, y_2) = points[low], points[high]
        return x + (x_2 - x) * share, y + (y_2 - y) * share

    return at, around


def row_of(key: str, marks: str, curve: Curve, *, width: float = 0.0, centre: float = 0.0) -> dict[str, Json]:
    """Return a row: its marks along a curve around ``centre``, stretched to ``width`` metres where one is given."""
    widths = [WIDTHS[mark] for mark in marks]
    stretch = width / sum(widths) if width else 1.0
    seats: list[dict[str, Json]] = []
    spots: list[tuple[str, tuple[float, float]]] = []
    along = centre - stretch * sum(widths) / 2
    for mark, wide in zip(marks, widths, strict=True):
        x, y = curve(along + stretch * wide / 2)
        along += stretch * wide
        if mark != " ":
            spots.append((mark, (x, y)))
            seats.append({"number": str(len(seats) + 1), "x": round(x, 2), "y": round(y, 2)})
    return {"key": key, "seats": _with_companions(seats, spots)}


def section_of(
    key: str, name: str, rows: Sequence[dict[str, Json]], best_place: tuple[float, float], *, rank: int, category: str
) -> dict[str, Json]:
    """Return a section of such rows. A companion's seat is named by its section, row and number."""
    for row in rows:
        for seat in _seats(row):
            numbers = seat.get("companions")
            if isinstance(numbers, list):
                seat["companions"] = [f"{key}-{row['key']}-{number}" for number in numbers]
    x, y = best_place
    return {
        "key": key,
        "name": name,
        "rank": rank,
        "best_place": {"x": round(x, 2), "y": round(y, 2)},
        "price_category": category,
        "rows": list(rows),
    }


def box(left: float, top: float, right: float, bottom: float) -> list[Json]:
    """Return the outline of a rectangle."""
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def _with_companions(
    seats: list[dict[str, Json]], spots: Sequence[tuple[str, tuple[float, float]]]
) -> list[dict[str, Json]]:
    """Mark accessible places, and give each companion seat to the nearest of them, by its number in the row."""
    places = [at for at, (mark, _) in enumerate(spots) if mark == "a"]
    companions: dict[int, list[Json]] = {at: [] for at in places}
    for at, (mark, (x, y)) in enumerate(spots):
        if mark == "c":
            nearest = min(places, key=lambda place: hypot(spots[place][1][0] - x, spots[place][1][1] - y))
            companions[nearest].append(seats[at]["number"])
    for at in places:
        seats[at] |= {"accessible": True, "companions": companions[at]}
    return seats


def _seats(row: dict[str, Json]) -> list[dict[str, Json]]:
    """Return the seats of a row made by ``row_of``."""
    seats = row["seats"]
    return [seat for seat in seats if isinstance(seat, dict)] if isinstance(seats, list) else []
