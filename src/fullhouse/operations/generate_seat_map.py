"""Generate the seat maps that come with Fullhouse: a theatre, an arena and a club. Pure, and always the same."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from fullhouse.core.json import Json
from fullhouse.operations.room_drawing import arc, box, line, oval, row_of, section_of
from fullhouse.seating.import_seat_map import seat_map_from
from fullhouse.seating.rules import SeatMap

RoomKind = Literal["theatre", "arena", "club"]

_ROW_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUV"
"""Twenty rows. No I and no O, which look like numbers."""

_STAGE_SHARE: Final = 0.16
"""The part of the arena's oval that lies behind the stage and has no seats."""


def generate_seat_map(kind: RoomKind) -> SeatMap:
    """Return one of the maps: a theatre of 1,200 seats, an arena of 20,000 and standing room, a club with tables."""
    return seat_map_from(generate_document(kind))


def generate_document(kind: RoomKind) -> dict[str, Json]:
    """Return the document of one of the maps, as ``fullhouse seat-map generate`` writes it."""
    return {"format": "fullhouse-seat-map", "version": 1, **_ROOMS[kind]()}


def _theatre() -> dict[str, Json]:
    """Draw 750 seats in the stalls, in three blocks with two aisles, and 450 on a balcony; rows curve to the stage."""
    stalls = [
        row_of(letter, _three_blocks(28 + at, open_ends=letter in "KV"), arc(0, -11, 14 + 0.95 * at))
        for at, letter in enumerate(_ROW_LETTERS)
    ]
    for row in stalls[:10]:
        row["price_category"] = "premium"
    balcony = [
        row_of(
            letter,
            _three_blocks(40 + at + at // 5, open_ends=letter == "A"),
            arc(0, -11, 37 + 0.95 * at),
        )
        for at, letter in enumerate(_ROW_LETTERS[:10])
    ]
    return {
        "name": "Lantern Theatre",
        "price_categories": [
            {"key": "premium", "name": "Premium stalls", "color": "#8c2f39"},
            {"key": "stalls", "name": "Stalls", "color": "#2f6690"},
            {"key": "balcony", "name": "Balcony", "color": "#3a7d44"},
        ],
        "sections": [
            section_of("stalls", "Stalls", stalls, (0, 7.75), rank=0, category="stalls"),
            section_of("balcony", "Balcony", balcony, (0, 26), rank=1, category="balcony"),
        ],
        "landmarks": [
            {"name": "Stage", "outline": [[-9, -8], [9, -8], [9, -2.5], [5, -0.7], [0, 0], [-5, -0.7], [-9, -2.5]]}
        ],
    }


def _three_blocks(seats: int, *, open_ends: bool) -> str:
    """Return the marks of a row: a quarter of its seats beyond each of two aisles. Where ends are open, wheelchairs."""
    side = seats // 4
    left, middle, right = "s" * side, "s" * (seats - 2 * side), "s" * side
    if open_ends:
        left, right = left[2:] + "ca", "ac" + right[2:]
        middle = "ac" + middle[4:] + "ca"
    return f"{left} {middle} {right}"


def _arena() -> dict[str, Json]:
    """Draw 20 lower and 24 upper blocks around an oval floor with standing room, open behind the stage."""
    stage_front = (0.0, -30.0)
    lower = _ring(20, 16, (42, 60), first_block=101, open_row=15)
    upper = _ring(24, 20, (60, 78), first_block=201, open_row=0)
    sections: list[Json] = [
        section_of(block, f"Block {block}", rows, stage_front, rank=rank, category=category)
        for rank, category, blocks in ((0, "lower", lower), (1, "upper", upper))
        for block, rows in blocks.items()
    ]
    return {
        "name": "Harbour Arena",
        "price_categories": [
            {"key": "golden-circle", "name": "Golden circle", "color": "#d4a017"},
            {"key": "floor", "name": "Standing floor", "color": "#7d5ba6"},
            {"key": "lower", "name": "Lower tier", "color": "#2f6690"},
            {"key": "upper", "name": "Upper tier", "color": "#3a7d44"},
        ],
        "sections": sections,
        "areas": [
            {
                "key": "golden-circle",
                "name": "Golden circle",
                "capacity": 1000,
                "price_category": "golden-circle",
                "outline": box(-22, -28, 22, -14),
            },
            {
                "key": "floor",
                "name": "Standing floor",
                "capacity": 4000,
                "price_category": "floor",
                "outline": [[-26, -12], [26, -12], [30, 10], [22, 34], [10, 44], [-10, 44], [-22, 34], [-30, 10]],
            },
        ],
        "landmarks": [{"name": "Stage", "outline": box(-18, -46, 18, -30)}],
    }


def _ring(
    block_count: int, row_count: int, floor: tuple[float, float], *, first_block: int, open_row: int
) -> dict[str, list[dict[str, Json]]]:
    """Return the blocks of a tier by number: rows of 25, one of them with places for wheelchairs."""
    blocks: dict[str, list[dict[str, Json]]] = {str(first_block + at): [] for at in range(block_count)}
    half_width, half_depth = floor
    for row in range(row_count):
        curve, around = oval(half_width + 0.85 * row, half_depth + 0.85 * row)
        share = around * (1 - _STAGE_SHARE) / block_count
        marks = "acca" + "s" * 17 + "acca" if row == open_row else "s" * 25
        for at, rows in enumerate(blocks.values()):
            # The way counts from the end opposite the stage: blocks run around it from the left of the stage.
            centre = share * (at + 0.5 - block_count / 2)
            rows.append(row_of(str(row + 1), marks, curve, width=share - 1.4, centre=centre))
    return blocks


def _club() -> dict[str, Json]:
    """Draw a dance floor, a bar with standing room, a platform with a row of seats, and 16 tables of four."""
    tables = [_table(str(number), -10.5 + 3 * (at % 8), 15 + 3 * (at // 8)) for at, number in enumerate(range(1, 17))]
    platform = row_of("P", "acssssssca", line(0, 11.5))
    return {
        "name": "Cellar Club",
        "price_categories": [
            {"key": "floor", "name": "Dance floor", "color": "#7d5ba6"},
            {"key": "bar", "name": "Bar", "color": "#d4a017"},
            {"key": "seats", "name": "Platform", "color": "#2f6690"},
            {"key": "tables", "name": "Tables", "color": "#8c2f39"},
        ],
        "sections": [
            section_of("platform", "Platform", [platform], (0, 11.5), rank=0, category="seats"),
            section_of("tables", "Tables", tables, (0, 14), rank=1, category="tables"),
        ],
        "areas": [
            {
                "key": "floor",
                "name": "Dance floor",
                "capacity": 400,
                "price_category": "floor",
                "outline": box(-8, 1, 8, 10),
            },
            {"key": "bar", "name": "Bar", "capacity": 120, "price_category": "bar", "outline": box(9, 1, 14, 10)},
        ],
        "landmarks": [{"name": "Stage", "outline": box(-6, -4, 6, 0)}],
    }


def _table(key: str, x: float, y: float) -> dict[str, Json]:
    """Draw a table with four seats around it."""
    around = ((0, -0.7), (0.7, 0), (0, 0.7), (-0.7, 0))
    seats: list[Json] = [
        {"number": str(at), "x": round(x + dx, 2), "y": round(y + dy, 2)} for at, (dx, dy) in enumerate(around, start=1)
    ]
    return {"key": key, "name": f"Table {key}", "seats": seats}


_ROOMS: Final[Mapping[RoomKind, Callable[[], dict[str, Json]]]] = {"theatre": _theatre, "arena": _arena, "club": _club}
