"""Best available: which seats a party gets. Pure: the same calls choose the same seats, always.

A party gets, in this order: seats side by side in one row; two groups in the same or in neighbouring rows, nobody of
three or more alone if that can be had; seats near each other around the best free one; any seats. Of seats side by
side it gets those in the section with the lowest rank, leaving the fewest single seats alone, nearest to the section's
best place. A party is refused only when fewer seats are left than it needs.

Accessible seats go to those who ask for them, and to nobody else. Their companion seats are ordinary seats; yet a
window that would leave a free accessible seat without a free neighbour counts as leaving a seat alone, so they are
among the last to go.
"""

from collections.abc import Iterable
from typing import Final

from fullhouse.seating.choosing.accessible_party import choose_accessible
from fullhouse.seating.choosing.finders import Nearest, Split, Together
from fullhouse.seating.choosing.free_seats import FreeSeats
from fullhouse.seating.choosing.gathering import Anchor, Left, gather
from fullhouse.seating.choosing.lane_facts import LaneFacts
from fullhouse.seating.choosing.lane_heap import LaneHeap, Offer, Part
from fullhouse.seating.choosing.pool import Pool, pool_for
from fullhouse.seating.choosing.room import room_of
from fullhouse.seating.rules import SeatMap, SeatWish

__all__ = ["SeatChooser", "SeatWish"]

_HEAPS_KEPT: Final = 256
_POOLS_KEPT: Final = 64


class SeatChooser:
    """The free seats of one session in memory, and who should get which. One per desk; not for several threads."""

    def __init__(self, seat_map: SeatMap, free: Iterable[int]) -> None:
        """Begin with the indexes of the free seats."""
        self._room = room_of(seat_map)
        self._free = FreeSeats(self._room, free)
        self._pools: dict[tuple[frozenset[str] | None, str | None], Pool] = {}
        self._facts: dict[Pool, LaneFacts] = {}
        self._seeds: dict[Pool, LaneHeap] = {}
        self._heaps: dict[tuple[Pool, int, bool], LaneHeap] = {}

    def is_free(self, seat: int) -> bool:
        """Say whether a seat is free."""
        return self._free.is_free(seat)

    def take(self, seats: Iterable[int]) -> None:
        """Note that these seats are no longer free. Seats that were not free stay so."""
        self._free.take(seats)

    def give_back(self, seats: Iterable[int]) -> None:
        """Note that these seats are free again. Seats that were free stay so."""
        self._free.give_back(seats)

    def choose(self, count: int, *, wish: SeatWish) -> list[int] | None:
        """Return the indexes of the seats that a party of ``count`` should get, side by side where possible.

        Takes nothing. None only when fewer free seats are left than the party needs: ``wish.accessible`` accessible
        ones, and ordinary ones for the rest. Raises ValueError for a party of nobody, or with more accessible seats
        and companions than people.
        """
        if count < 1 or wish.accessible < 0 or not 0 <= wish.companions <= count - wish.accessible:
            msg = f"a party of {count} cannot have {wish.accessible} accessible seats and {wish.companions} companions"
            raise ValueError(msg)
        pool = self._pool(wish)
        if wish.accessible:
            return choose_accessible(self._free, pool, count, wish)
        offer = self._best(pool, count, split=False)
        if offer is None and count > 1:
            offer = self._best(pool, count, split=True)
        parts = self._around_the_best(pool, count) if offer is None else offer.parts
        return None if parts is None else self._seats(parts)

    def _best(self, pool: Pool, count: int, *, split: bool) -> Offer | None:
        """Return the best offer for a party in one row, or split in two."""
        if count > self._room.longest * (2 if split else 1):
            return None
        heap = self._heaps.get((pool, count, split))
        # A heap that has nothing is not asked again before a long enough run has come back.
        if (heap is None or heap.is_dry) and not self._could_fit(pool, count, split=split):
            return None
        if heap is None:
            if len(self._heaps) >= _HEAPS_KEPT:
                del self._heaps[next(iter(self._heaps))]
            facts = self._facts[pool]
            finder = Split(self._free, pool, facts, count) if split else Together(self._free, pool, count)
            heap = self._heaps[pool, count, split] = LaneHeap(self._free, pool.lanes, finder)
        elif split:
            self._facts[pool].catch_up()
        return heap.best()

    def _could_fit(self, pool: Pool, count: int, *, split: bool) -> bool:
        """Say whether there are runs of free seats for a party."""
        facts = self._facts[pool]
        facts.catch_up()
        return facts.fits_in_two(count) if split else facts.fits(count)

    def _around_the_best(self, pool: Pool, count: int) -> Iterable[Part] | None:
        """Return free seats around the one that is nearest to the best place."""
        facts = self._facts[pool]
        facts.catch_up()
        if facts.free_count < count:
            return None
        heap = self._seeds.get(pool)
        if heap is None:
            heap = self._seeds[pool] = LaneHeap(self._free, pool.lanes, Nearest(self._room, facts))
        seed = heap.best()
        if seed is None:
            return None
        lane, position, _ = seed.parts[0]
        row = self._room.lanes[lane]
        left = Left(self._free.lanes, facts.seats, facts.free_in_section)
        return gather(self._room, left, count, Anchor(lane, row.xs[position], row.ys[position]))

    def _pool(self, wish: SeatWish) -> Pool:
        """Return the seats that a wish allows, worked out once."""
        key = (wish.categories, wish.section)
        pool = self._pools.get(key)
        if pool is None:
            if len(self._pools) >= _POOLS_KEPT:
                self._pools.clear()
                self._facts.clear()
                self._seeds.clear()
                self._heaps.clear()
            pool = self._pools[key] = pool_for(self._room, *key)
            self._facts[pool] = LaneFacts(self._free, pool)
        return pool

    def _seats(self, parts: Iterable[Part]) -> list[int]:
        """Return the seats of some windows."""
        rows = self._room.lanes
        return [seat for lane, start, size in parts for seat in rows[lane].seats[start : start + size]]
