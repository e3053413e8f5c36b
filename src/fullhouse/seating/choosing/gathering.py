"""A party that not even two groups can hold: whatever is free near one place, in runs as long as they come."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import hypot
from typing import Final, NamedTuple

from fullhouse.seating.choosing.lane_heap import Part
from fullhouse.seating.choosing.room import NO_SEAT, Lane, Room
from fullhouse.seating.choosing.windows import closest_start, fewest_orphans, runs, square_distance, window_starts

_SECTIONS_KEPT: Final = 512


class Anchor(NamedTuple):
    """Where a party gathers: a seat's lane and point."""

    lane: int
    x: float
    y: float


class Left(NamedTuple):
    """The seats that are left, a bit for each by lane: ``free`` ones, those of them that are ``eligible``.

    ``in_section`` counts the eligible ones of each section.
    """

    free: Sequence[int]
    eligible: Sequence[int]
    in_section: Sequence[int]


def gather(room: Room, left: Left, count: int, anchor: Anchor) -> list[Part] | None:
    """Return ``count`` eligible ordinary seats around an anchor, nearest runs first. None if fewer are left.

    Rows beside the anchor's are added until they hold enough; then the rest of its section; then other sections,
    nearest first.
    """
    parts: list[Part] = []
    need = count
    home = room.lanes[anchor.lane].section
    for section in sections_near(room, home):
        seats = left.in_section[section]
        if not seats:
            continue
        lanes: Iterable[int] = room.lanes_of_section[section]
        if section == home and seats >= 2 * need:
            lanes = _enough_lanes(left.eligible, need, room.lanes_of_section[section], anchor.lane)
        parts += _nearest_runs(room, left, need, lanes, anchor)
        need -= seats
        if need <= 0:
            return parts
    return None


@lru_cache(maxsize=_SECTIONS_KEPT)
def sections_near(room: Room, section: int) -> tuple[int, ...]:
    """Return all sections, the given one first, then by how near they lie to it."""
    middles = [_middle(room, lanes) for lanes in room.lanes_of_section]
    x, y = middles[section]
    return tuple(
        sorted(range(len(middles)), key=lambda one: (one != section, hypot(middles[one][0] - x, middles[one][1] - y)))
    )


def _middle(room: Room, lanes: range) -> tuple[float, float]:
    """Return a point in the middle of a section: of its middle row."""
    row = room.lanes[lanes[len(lanes) // 2]]
    middle = len(row.seats) // 2
    # Beside an aisle there is always a seat.
    at = middle if row.seats[middle] != NO_SEAT else middle - 1
    return row.xs[at], row.ys[at]


def _nearest_runs(room: Room, left: Left, need: int, lanes: Iterable[int], anchor: Anchor) -> list[Part]:
    """Return up to ``need`` seats of some lanes, nearest runs first."""
    found: list[tuple[float, int, int, int, int]] = []
    eligible = left.eligible
    rows = room.lanes
    for lane in lanes:
        seats = eligible[lane]
        if not seats:
            continue
        row = rows[lane]
        if seats & (seats >> 1):
            for start, length in runs(seats):
                distance, near = _nearest_seat(row, start, length, anchor)
                found.append((distance, lane, start, length, near))
        else:
            # Single seats only, as nearly everywhere in a full house.
            _add_singles(found, row, lane, seats, anchor)
    found.sort()
    parts: list[Part] = []
    for _, lane, start, length, near in found:
        size = min(length, need)
        if size < length:
            start = _trimmed(left.free[lane], start, length, size, near)  # noqa: PLW2901
        parts.append((lane, start, size))
        need -= size
        if need == 0:
            break
    return parts


def _add_singles(
    found: list[tuple[float, int, int, int, int]], row: Lane, lane: int, seats: int, anchor: Anchor
) -> None:
    """Add single seats with their squared distances: ``bits`` and ``square_distance``, without a call for each."""
    xs, ys = row.xs, row.ys
    _, x, y = anchor
    while seats:
        at = seats.bit_length() - 1
        found.append(((xs[at] - x) ** 2 + (ys[at] - y) ** 2, lane, at, 1, at))
        seats ^= 1 << at


def _nearest_seat(row: Lane, start: int, length: int, anchor: Anchor) -> tuple[float, int]:
    """Return the squared distance and the position of the seat of a run that is nearest to an anchor."""
    if length == 1:
        return square_distance(row, start, anchor.x, anchor.y), start
    return min((square_distance(row, at, anchor.x, anchor.y), at) for at in range(start, start + length))


def _enough_lanes(eligible: Sequence[int], need: int, section: range, lane: int) -> Iterable[int]:
    """Return the lane and its neighbours on both sides until they hold twice the seats, as the section does.

    Twice, because the first seats found may lie at the far end of a row.
    """
    low = high = lane
    seats = eligible[lane].bit_count()
    while seats < 2 * need and (low > section.start or high + 1 < section.stop):
        if low > section.start:
            low -= 1
            seats += eligible[low].bit_count()
        if high + 1 < section.stop:
            high += 1
            seats += eligible[high].bit_count()
    return range(low, high + 1)


def _trimmed(free: int, start: int, length: int, size: int, near: int) -> int:
    """Return where to begin in a run that is longer than needed: leave no seat alone, and stay near."""
    _, starts = fewest_orphans(free, window_starts(((1 << length) - 1) << start, size), size)
    return closest_start(starts, near - size // 2)
