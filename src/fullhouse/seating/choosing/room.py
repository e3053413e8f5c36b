"""The geometry of a seat map as best available needs it: lanes of seats side by side, and what each seat costs.

A lane is one row in the order in which people sit in it, whatever the order in the file. Where the distance between
neighbours shows an aisle, a position without a seat stands in between, so that nobody is "together" across an aisle.
The cost of a seat is its distance to the best place of its section in whole 256ths of the usual distance between
neighbours: whole numbers, so that equal places tie exactly and the choice never depends on rounding.
"""

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from math import hypot
from statistics import median_low
from typing import Final

from fullhouse.seating.rules import Row, Seat, SeatMap, Section

COST_PER_PITCH: Final = 256
AISLE_PITCHES: Final = 1.75
NO_SEAT: Final = -1
_SEAT_COST_MAX: Final = 2**31 - 1
_ROOMS_KEPT: Final = 16


@dataclass(frozen=True, slots=True)
class Lane:
    """One row by position, aisles included.

    ``sums[p]`` is the cost of all positions before ``p``. ``bowl`` says that costs fall to one lowest point and rise
    again, which lets the nearest window be found without looking at all of them. ``along`` is the coordinate in which
    the row is longer, x if ``wide``; it grows from position to position if ``steady``.
    """

    section: int
    rank: int
    seats: tuple[int, ...]
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    along: tuple[float, ...]
    wide: bool
    steady: bool
    sums: tuple[int, ...]
    bowl: bool
    ordinary: int
    accessible: int
    categories: dict[str, int]

    def window_cost(self, start: int, size: int) -> int:
        """Return what ``size`` seats from position ``start`` cost together."""
        return self.sums[start + size] - self.sums[start]

    def facing_position(self, x: float, y: float) -> int:
        """Return the position of this lane that faces a point: nearest to it along the lane."""
        target = x if self.wide else y
        along = self.along
        if not self.steady:
            return min(range(len(along)), key=lambda at: abs(along[at] - target))
        after = bisect_left(along, target)
        if after == len(along) or (after and target - along[after - 1] <= along[after] - target):
            return after - 1
        return after

    def ideal_start(self, size: int) -> int:
        """Return the start of the cheapest window of this size, as if every position were free."""
        sums = self.sums
        last = len(self.seats) - size
        if last <= 0:
            return 0
        if not self.bowl:
            return min(range(last + 1), key=lambda start: sums[start + size] - sums[start])
        # In a bowl the next window is dearer from some start on, and stays so: the first such start is the cheapest.
        return bisect_left(
            range(last),
            1,
            key=lambda start: sums[start + size + 1] - sums[start + size] >= sums[start + 1] - sums[start],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """All lanes of a map, those of a section together.

    ``after`` is the next lane of the same section, 0 for none: no lane comes before the first. ``where`` is each seat's
    lane and its bit in it.
    """

    seat_map: SeatMap
    lanes: tuple[Lane, ...]
    after: tuple[int, ...]
    lanes_of_section: tuple[range, ...]
    section_by_key: dict[str, int]
    where: tuple[tuple[int, int], ...]
    longest: int
    pitch: float


@lru_cache(maxsize=_ROOMS_KEPT)
def room_of(seat_map: SeatMap) -> Room:
    """Return the geometry of a map. Kept for the last maps, since every desk on a map shares it."""
    ordered = [[_as_people_sit(row) for row in section.rows] for section in seat_map.sections]
    steps = [_distance(one, other) for rows in ordered for row in rows for one, other in pairwise(row)]
    pitch = _usual(steps)
    lanes: list[Lane] = []
    ranges: list[range] = []
    for number, (section, rows) in enumerate(zip(seat_map.sections, ordered, strict=True)):
        first = len(lanes)
        aisle = AISLE_PITCHES * _usual([_distance(one, other) for row in rows for one, other in pairwise(row)])
        lanes.extend(_lane(number, section, row, aisle, pitch) for row in rows)
        ranges.append(range(first, len(lanes)))
    where = [(0, 0)] * seat_map.seat_count
    for lane_number, lane in enumerate(lanes):
        for position, seat in enumerate(lane.seats):
            if seat != NO_SEAT:
                where[seat] = (lane_number, 1 << position)
    keys = {section.key: number for number, section in enumerate(seat_map.sections)}
    longest = max((len(lane.seats) for lane in lanes), default=0)
    after = tuple(lane + 1 if lane + 1 < lanes_in.stop else 0 for lanes_in in ranges for lane in lanes_in)
    return Room(seat_map, tuple(lanes), after, tuple(ranges), keys, tuple(where), longest, pitch)


def _lane(number: int, section: Section, row: list[Seat], aisle: float, pitch: float) -> Lane:
    """Lay one row out by position with its aisles and costs."""
    best = section.best_place
    wide = _is_wide(row)
    seats: list[Seat | None] = [row[0]]
    costs = [_cost(row[0], best.x, best.y, pitch)]
    along = [row[0].x if wide else row[0].y]
    for before, seat in pairwise(row):
        cost = _cost(seat, best.x, best.y, pitch)
        here = seat.x if wide else seat.y
        if _distance(before, seat) > aisle:
            # Halfway between its neighbours in all respects, so that an aisle does not dent the bowl.
            seats.append(None)
            costs.append((costs[-1] + cost) // 2)
            along.append((along[-1] + here) / 2)
        seats.append(seat)
        costs.append(cost)
        along.append(here)
    ordinary = accessible = 0
    categories: dict[str, int] = {}
    for position, seat in enumerate(seats):
        if seat is None:
            continue
        bit = 1 << position
        categories[seat.price_category] = categories.get(seat.price_category, 0) | bit
        if seat.accessible:
            accessible |= bit
        else:
            ordinary |= bit
    return Lane(
        section=number,
        rank=section.rank,
        seats=tuple(NO_SEAT if seat is None else seat.index for seat in seats),
        xs=tuple(0.0 if seat is None else seat.x for seat in seats),
        ys=tuple(0.0 if seat is None else seat.y for seat in seats),
        along=tuple(along),
        wide=wide,
        steady=all(before <= after for before, after in pairwise(along)),
        sums=tuple(accumulate(costs, initial=0)),
        bowl=_is_bowl(costs),
        ordinary=ordinary,
        accessible=accessible,
        categories=categories,
    )


def _as_people_sit(row: Row) -> list[Seat]:
    """Order the seats of a row along the row. Files may list odd numbers first, or right to left."""
    listed = list(row.seats)
    wide = _is_wide(listed)
    swept = sorted(listed, key=lambda seat: (seat.x, seat.y) if wide else (seat.y, seat.x))
    # A shorter way through the seats is the truer order: a round table as listed, odd-then-even as swept.
    return listed if _way(listed) < 0.99 * _way(swept) else swept


def _is_wide(row: list[Seat]) -> bool:
    """Say whether a row is longer in x than in y."""
    xs = [seat.x for seat in row]
    ys = [seat.y for seat in row]
    return max(xs) - min(xs) >= max(ys) - min(ys)


def _distance(one: Seat, other: Seat) -> float:
    """Return the distance between two seats."""
    return hypot(one.x - other.x, one.y - other.y)


def _way(seats: list[Seat]) -> float:
    """Return the length of the way from seat to seat."""
    return sum(_distance(one, other) for one, other in pairwise(seats))


def _usual(steps: list[float]) -> float:
    """Return the usual distance between neighbours, or one where no two seats are apart."""
    apart = [step for step in steps if step > 0]
    return median_low(apart) if apart else 1.0


def _cost(seat: Seat, x: float, y: float, pitch: float) -> int:
    """Return the distance of a seat to a place in 256ths of the pitch."""
    return min(round(hypot(seat.x - x, seat.y - y) * COST_PER_PITCH / pitch), _SEAT_COST_MAX)


def _is_bowl(costs: list[int]) -> bool:
    """Say whether the costs only fall and then never again, so that a window's neighbours show the way down."""
    turned = False
    for before, after in pairwise(costs):
        if after >= before:
            turned = True
        elif turned:
            return False
    return True
