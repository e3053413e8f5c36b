"""A party that not even two groups can hold: whatever is free near one place, in runs as long as they come."""

from collections.abc import Iterable
from dataclasses import dataclass

from fullhouse.seating.choosing.lane_heap import Part
from fullhouse.seating.choosing.pool import Pool
from fullhouse.seating.choosing.room import Room
from fullhouse.seating.choosing.windows import closest_start, fewest_orphans, runs, square_distance, window_starts


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a party gathers: a seat's lane and point."""

    lane: int
    x: float
    y: float


def gather(room: Room, free: list[int], pool: Pool, count: int, anchor: Anchor) -> list[Part] | None:
    """Return ``count`` eligible ordinary seats around an anchor, nearest runs first. None if fewer are left.

    Rows beside the anchor's are added until they hold enough; then the rest of its section; then other sections, first
    choice first.
    """
    parts: list[Part] = []
    home = room.lanes[anchor.lane].section
    for section in (home, *(one for one in pool.sections if one != home)):
        need = count - sum(size for _, _, size in parts)
        if need == 0:
            break
        lanes = _enough_lanes(free, pool, need, room.lanes_of_section[section], anchor.lane)
        parts.extend(_nearest_runs(room, free, pool, need, lanes, anchor))
    return parts if sum(size for _, _, size in parts) == count else None


def _nearest_runs(
    room: Room, free: list[int], pool: Pool, need: int, lanes: Iterable[int], anchor: Anchor
) -> list[Part]:
    """Return up to ``need`` seats of some lanes, nearest runs first."""
    found: list[tuple[float, int, int, int, int]] = []
    for lane in lanes:
        row = room.lanes[lane]
        for start, length in runs(free[lane] & pool.ordinary[lane]):
            near, distance = start, square_distance(row, start, anchor.x, anchor.y)
            for at in range(start + 1, start + length):
                further = square_distance(row, at, anchor.x, anchor.y)
                if further < distance:
                    near, distance = at, further
            found.append((distance, lane, start, length, near))
    found.sort()
    parts: list[Part] = []
    for _, lane, start, length, near in found:
        size = min(length, need)
        if size < length:
            start = _trimmed(free[lane], start, length, size, near)  # noqa: PLW2901
        parts.append((lane, start, size))
        need -= size
        if need == 0:
            break
    return parts


def _enough_lanes(free: list[int], pool: Pool, need: int, section: range, lane: int) -> Iterable[int]:
    """Return the lane and its neighbours on both sides until they hold twice the seats, or the whole section.

    Twice, because the first seats found may lie at the far end of a row.
    """
    if lane not in section:
        return section
    low = high = lane
    seats = (free[lane] & pool.ordinary[lane]).bit_count()
    while seats < 2 * need and (low > section.start or high + 1 < section.stop):
        if low > section.start:
            low -= 1
            seats += (free[low] & pool.ordinary[low]).bit_count()
        if high + 1 < section.stop:
            high += 1
            seats += (free[high] & pool.ordinary[high]).bit_count()
    return range(low, high + 1)


def _trimmed(free: int, start: int, length: int, size: int, near: int) -> int:
    """Return where to begin in a run that is longer than needed: leave no seat alone, and stay near."""
    _, starts = fewest_orphans(free, window_starts(((1 << length) - 1) << start, size), size)
    return closest_start(starts, near - size // 2)
