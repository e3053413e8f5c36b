"""Finds seats side by side in one row, and for parties that no row can hold two groups, in one row or in two."""

from math import hypot
from typing import Final

from fullhouse.seating.choosing.free_seats import FreeSeats
from fullhouse.seating.choosing.lane_facts import LaneFacts
from fullhouse.seating.choosing.lane_heap import Offer, Part
from fullhouse.seating.choosing.pool import Pool
from fullhouse.seating.choosing.room import COST_PER_PITCH, Lane
from fullhouse.seating.choosing.windows import (
    Window,
    best_window,
    closest_start,
    fewest_orphans,
    window_starts,
)

COST_BITS: Final = 44
"""A thousand seats at the highest cost fit below."""
GRADES: Final = 16
_GRADES_PER_LONELY: Final = 5


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
        self._ideal = {lane: self._rows[lane].ideal_start(count) for lane in pool.lanes}
        self._starts: dict[int, int] = {}

    def bound(self, lane: int) -> int | None:
        """Find the best window of a lane and return its key."""
        free = self._free[lane]
        row = self._rows[lane]
        window = best_window(row, free, free & self._allowed[lane], self._count, self._ideal[lane])
        if window is None:
            return None
        self._starts[lane] = window.start
        return offer_key(row.rank, window.orphans, window.cost)

    def offer(self, lane: int, key: int) -> Offer:
        """Return the window that was found."""
        return Offer(key, ((lane, self._starts[lane], self._count),))


class Nearest:
    """Finds the free seat nearest to the best place, whoever it leaves alone: a ``Finder``."""

    looks_ahead = False

    def __init__(self, free: FreeSeats, pool: Pool, facts: LaneFacts) -> None:
        """Work on facts that whoever asks has seen to."""
        self._rows = free.room.lanes
        self._free = free.lanes
        self._allowed = pool.ordinary
        self._longest = facts.longest
        self._nearest_cost = facts.nearest

    def bound(self, lane: int) -> int | None:
        """Return the key of the lane's nearest seat, or less."""
        return offer_key(self._rows[lane].rank, 0, self._nearest_cost[lane]) if self._longest[lane] else None

    def offer(self, lane: int, key: int) -> Offer | None:
        """Return the lane's nearest seat."""
        del key
        row = self._rows[lane]
        # As if nothing were free around it, no seat is ever left alone.
        window = best_window(row, 0, self._free[lane] & self._allowed[lane], 1, row.ideal_start(1))
        return None if window is None else Offer(offer_key(row.rank, 0, window.cost), ((lane, window.start, 1),))


class Split:
    """Finds two groups for parties of one size: a ``Finder``."""

    looks_ahead = True

    def __init__(self, free: FreeSeats, pool: Pool, facts: LaneFacts, count: int) -> None:
        """Work on the free seats of a pool. Whoever asks has seen to it that the facts have caught up."""
        self._room = free.room
        self._free = free.lanes
        self._allowed = pool.ordinary
        self._longest = facts.longest
        self._nearest_cost = facts.nearest
        self._after = free.room.after
        self._count = count
        self._ideal: dict[tuple[int, int], int] = {}
        # Of three people in two groups one is alone, whatever is free.
        self._grade_min = _GRADES_PER_LONELY if count == 3 else 0

    def bound(self, lane: int) -> int | None:
        """Return what two groups cannot cost less than: every seat at the price of the nearest free one."""
        longest = self._longest
        run = longest[lane]
        if not run:
            return None
        nearest = self._nearest_cost
        cost = cheapest = nearest[lane]
        after = self._after[lane]
        run_after = longest[after] if after else 0
        if run_after and nearest[after] < cost:
            cheapest = nearest[after]
        if run + (max(run, run_after)) < self._count:
            return None
        return offer_key(self._room.lanes[lane].rank, self._grade_min, cost + (self._count - 1) * cheapest)

    def offer(self, lane: int, key: int) -> Offer | None:
        """Return the best split over a lane alone, or over it and the next lane of its section."""
        del key
        count = self._count
        longest = self._longest[lane]
        best: Offer | None = None
        if 2 * longest >= count:
            for first in self._sizes(count, longest, longest):
                best = self._better(best, self._pair((lane, first), (lane, count - first)))
            if best is None:
                # The second group may only fit if the first fills the longest run.
                best = self._pair((lane, longest), (lane, count - longest))
        after = self._after[lane]
        longest_after = self._longest[after] if after else 0
        if longest_after and longest + longest_after >= count:
            for first in self._sizes(count, longest, longest_after):
                best = self._better(best, self._pair((lane, first), (after, count - first)))
        return best

    @staticmethod
    def _better(one: Offer | None, other: Offer | None) -> Offer | None:
        """Return the better offer, the first of equals."""
        if one is None or other is None:
            return other if one is None else one
        return other if other.key < one.key else one

    @staticmethod
    def _sizes(count: int, longest: int, longest_after: int) -> set[int]:
        """Return up to four sizes for the first group: in halves, and as uneven as can be without a lonely one."""
        low = max(1, count - longest_after)
        high = min(count - 1, longest)
        if low == 1 and high > 1:
            low = 2
        if high == count - 1 and high > low:
            high -= 1
        half = count // 2
        return {low, high, min(max(half, low), high), min(max(count - half, low), high)}

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


def _apart(lane: Lane, position: int, other: Lane, position_2: int, pitch: float) -> int:
    """Return how far two seats are apart, in the unit of costs."""
    far = hypot(lane.xs[position] - other.xs[position_2], lane.ys[position] - other.ys[position_2])
    return round(far * COST_PER_PITCH / pitch)
