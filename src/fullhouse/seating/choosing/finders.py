"""Finds seats side by side in one row, and for parties that no row can hold two groups, in one row or in two."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from math import hypot
from typing import Final

from fullhouse.seating.choosing.free_seats import FreeSeats
from fullhouse.seating.choosing.lane_facts import LaneFacts
from fullhouse.seating.choosing.lane_heap import Offer, Part
from fullhouse.seating.choosing.pool import Pool, ideal_starts
from fullhouse.seating.choosing.room import COST_PER_PITCH, Lane, Room
from fullhouse.seating.choosing.windows import (
    Window,
    best_window,
    cheapest_start,
    closest_start,
    fewest_orphans,
    shifts_for,
    window_starts,
)

COST_BITS: Final = 44
"""A thousand seats at the highest cost fit below."""
GRADES: Final = 16
_GRADES_PER_LONELY: Final = 5
_SIZES_KEPT: Final = 4_096


def offer_key(rank: int, grade: int, cost: int) -> int:
    """Return the order of offers: the section's rank, then what is wrong with the seats, then what they cost."""
    return (rank * GRADES + grade << COST_BITS) + cost


class Together:
    """Finds seats side by side for parties of one size: a ``Finder``."""

    looks_ahead = False

    def __init__(self, free: FreeSeats, pool: Pool, count: int) -> None:
        """Work out once where each lane would seat the party if it were empty."""
        self._rows = free.room.lanes
        self._free = free.lanes
        self._allowed = pool.ordinary
        self._count = count
        self._shifts = shifts_for(count)
        self._ideal = ideal_starts(free.room, pool, count)
        self._starts = [0] * len(self._rows)

    def bounds(self, lanes: Collection[int]) -> Iterable[int | None]:
        """Find the best window of each lane and return its key."""
        free, allowed, shifts = self._free, self._allowed, self._shifts
        keys: list[int | None] = []
        for lane in lanes:
            starts = free[lane] & allowed[lane]
            # As in window_starts, without a call for each lane: in a full house few have a window.
            for shift in shifts:
                starts &= starts >> shift
            keys.append(self._key(lane, starts) if starts else None)
        return keys

    def _key(self, lane: int, starts: int) -> int:
        """Find the best of some windows of a lane and return its key."""
        row, count = self._rows[lane], self._count
        orphans, starts = fewest_orphans(self._free[lane], starts, count)
        start = self._starts[lane] = cheapest_start(row, starts, count, self._ideal[lane])
        return offer_key(row.rank, orphans, row.sums[start + count] - row.sums[start])

    def offer(self, lane: int, key: int) -> Offer:
        """Return the window that was found."""
        return Offer(key, ((lane, self._starts[lane], self._count),))


class Nearest:
    """Finds the free seat nearest to the best place, whoever it leaves alone: a ``Finder``."""

    looks_ahead = False

    def __init__(self, room: Room, facts: LaneFacts) -> None:
        """Work on facts that whoever asks has seen to."""
        self._rows = room.lanes
        self._facts = facts

    def bounds(self, lanes: Collection[int]) -> Iterable[int | None]:
        """Return the key of each lane's nearest seat, or less."""
        rows, seats, nearest = self._rows, self._facts.seats, self._facts.nearest
        return [offer_key(rows[lane].rank, 0, nearest[lane]) if seats[lane] else None for lane in lanes]

    def offer(self, lane: int, key: int) -> Offer | None:
        """Return the lane's nearest seat."""
        del key
        seats = self._facts.seats[lane]
        if not seats:
            return None
        row = self._rows[lane]
        start = cheapest_start(row, seats, 1, self._facts.ideal[lane])
        return Offer(offer_key(row.rank, 0, row.sums[start + 1] - row.sums[start]), ((lane, start, 1),))


class Split:
    """Finds two groups for parties of one size: a ``Finder``."""

    looks_ahead = True

    def __init__(self, free: FreeSeats, pool: Pool, facts: LaneFacts, count: int) -> None:
        """Work on the free seats of a pool. Whoever asks has seen to it that the facts have caught up."""
        self._room = free.room
        self._free = free.lanes
        self._allowed = pool.ordinary
        self._facts = facts
        self._longest = facts.longest
        self._after = free.room.after
        self._count = count
        self._ideal: dict[tuple[int, int], int] = {}
        # Of three people in two groups one is alone, whatever is free.
        self._grade_min = _GRADES_PER_LONELY if count == 3 else 0

    def bounds(self, lanes: Collection[int]) -> Iterable[int | None]:
        """Return what two groups cannot cost less than: every seat at the price of the nearest free one."""
        longest, afters, count = self._longest, self._after, self._count
        free_in_lane, nearest = self._facts.free_in_lane, self._facts.nearest
        keys: list[int | None] = []
        for lane in lanes:
            run = longest[lane]
            if not run:
                keys.append(None)
                continue
            after = afters[lane]
            run_after = longest[after] if after else 0
            if run_after and run + run_after >= count:
                cheapest = min(nearest[lane], nearest[after])
            elif run + run >= count and free_in_lane[lane] >= count:
                cheapest = nearest[lane]
            else:
                keys.append(None)
                continue
            cost = nearest[lane] + (count - 1) * cheapest
            keys.append(offer_key(self._room.lanes[lane].rank, self._grade_min, cost))
        return keys

    def offer(self, lane: int, key: int) -> Offer | None:
        """Return the best split over a lane alone, or over it and the next lane of its section."""
        del key
        count = self._count
        longest = self._longest[lane]
        best: Offer | None = None
        if 2 * longest >= count and self._facts.free_in_lane[lane] >= count:
            sizes = sizes_for(count, max(1, count - longest), min(count - 1, longest))
            for first in sizes:
                best = self._better(best, self._pair((lane, first), (lane, count - first)))
            if best is None and longest not in sizes:
                # The second group may only fit if the first fills the longest run.
                best = self._pair((lane, longest), (lane, count - longest))
        after = self._after[lane]
        longest_after = self._longest[after] if after else 0
        if longest_after and longest + longest_after >= count:
            for first in sizes_for(count, max(1, count - longest_after), min(count - 1, longest)):
                best = self._better(best, self._pair((lane, first), (after, count - first)))
        return best

    @staticmethod
    def _better(one: Offer | None, other: Offer | None) -> Offer | None:
        """Return the better offer, the first of equals."""
        if one is None or other is None:
            return other if one is None else one
        return other if other.key < one.key else one

    def _pair(self, one: tuple[int, int], other: tuple[int, int]) -> Offer | None:
        """Place the first group (lane, size) nearest to the best place, the second nearest to the first."""
        (lane, size), (lane_2, size_2) = one, other
        row = self._room.lanes[lane]
        free = self._free[lane]
        window = best_window(row, free, free & self._allowed[lane], size, self._ideal_start(lane, size))
        if window is None:
            return None
        middle = window.start + size // 2
        row_2 = self._room.lanes[lane_2]
        free_2 = self._free[lane_2]
        target = middle
        if lane_2 == lane:
            free_2 &= ~(((1 << size) - 1) << window.start)
        else:
            target = row_2.facing_position(row.xs[middle], row.ys[middle])
        near = self._nearest(row_2, free_2, self._allowed[lane_2], size_2, target - size_2 // 2)
        if near is None:
            return None
        apart = _apart(row, middle, row_2, near.start + size_2 // 2, self._room.pitch)
        lonely = (size == 1) + (size_2 == 1) if size + size_2 > 2 else 0
        grade = lonely * _GRADES_PER_LONELY + window.orphans + near.orphans
        cost = window.cost + near.cost + (size + size_2) * apart
        parts: tuple[Part, ...] = ((lane, window.start, size), (lane_2, near.start, size_2))
        return Offer(offer_key(row.rank, grade, cost), parts)

    @staticmethod
    def _nearest(lane: Lane, free: int, allowed: int, size: int, target: int) -> Window | None:
        """Return the window nearest to a start, of those that leave the fewest seats alone."""
        starts = window_starts(free & allowed, size)
        if not starts:
            return None
        orphans, starts = fewest_orphans(free, starts, size)
        start = closest_start(starts, target)
        return Window(orphans, lane.window_cost(start, size), start)

    def _ideal_start(self, lane: int, size: int) -> int:
        """Return the lane's ideal start, worked out once."""
        start = self._ideal.get((lane, size))
        if start is None:
            start = self._ideal[lane, size] = self._room.lanes[lane].ideal_start(size)
        return start


@lru_cache(maxsize=_SIZES_KEPT)
def sizes_for(count: int, low: int, high: int) -> tuple[int, ...]:
    """Return up to four sizes from low to high for the first group of a party.

    In halves, and as uneven as can be without a lonely one.
    """
    if low == 1 and high > 1:
        low = 2
    if high == count - 1 and high > low:
        high -= 1
    half = count // 2
    return tuple({low, high, min(max(half, low), high), min(max(count - half, low), high)})


def _apart(lane: Lane, position: int, other: Lane, position_2: int, pitch: float) -> int:
    """Return how far two seats are apart, in the unit of costs."""
    far = hypot(lane.xs[position] - other.xs[position_2], lane.ys[position] - other.ys[position_2])
    return round(far * COST_PER_PITCH / pitch)
