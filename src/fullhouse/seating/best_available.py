"""Best available: which seats a party gets. Pure: the same calls choose the same seats, always.

A party gets, in this order: seats side by side in one row; two groups in the same or in neighbouring rows, nobody of
three or more alone if that can be had; seats near each other around the best free one; any seats. Of seats side by
side it gets those in the section with the lowest rank, leaving the fewest single seats alone, nearest to the section's
best place. A party is refused only when fewer seats are left than it needs.

Accessible seats go to those who ask for them, and to nobody else. Their companion seats are ordinary seats; yet a
window that would leave a free accessible seat without a free neighbour counts as leaving a seat alone, so they are
among the last to go.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from fullhouse.seating.choosing.accessible_party import choose_accessible
from fullhouse.seating.choosing.free_seats import FreeSeats
from fullhouse.seating.choosing.gathering import Anchor, gather
from fullhouse.seating.choosing.lane_heap import LaneHeap, Offer, Part
from fullhouse.seating.choosing.pool import Pool, pool_for
from fullhouse.seating.choosing.room import room_of
from fullhouse.seating.choosing.splitting import Splitter, offer_key
from fullhouse.seating.choosing.windows import best_window
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
        self._splitter = Splitter(self._free)
        self._pools: dict[tuple[frozenset[str] | None, str | None], Pool] = {}
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
        if heap is None:
            if len(self._heaps) >= _HEAPS_KEPT:
                del self._heaps[next(iter(self._heaps))]
            offer = partial(self._splitter.offer, pool, count) if split else self._together(pool, count)
            heap = self._heaps[pool, count, split] = LaneHeap(self._free, pool.lanes, offer, looks_ahead=split)
        return heap.best()

    def _around_the_best(self, pool: Pool, count: int) -> Iterable[Part] | None:
        """Return free seats around the best single one."""
        seed = self._best(pool, 1, split=False)
        if seed is None:
            return None
        lane, position, _ = seed.parts[0]
        row = self._room.lanes[lane]
        return gather(self._room, self._free.lanes, pool, count, Anchor(lane, row.xs[position], row.ys[position]))

    def _together(self, pool: Pool, count: int) -> Callable[[int], Offer | None]:
        """Return what says which seats side by side a lane has for a party."""
        rows, free, allowed = self._room.lanes, self._free.lanes, pool.ordinary
        ideal = {lane: rows[lane].ideal_start(count) for lane in pool.lanes}

        def offer(lane: int) -> Offer | None:
            row = rows[lane]
            window = best_window(row, free[lane], free[lane] & allowed[lane], count, ideal[lane])
            if window is None:
                return None
            return Offer(offer_key(row.rank, window.orphans, window.cost), ((lane, window.start, count),))

        return offer

    def _pool(self, wish: SeatWish) -> Pool:
        """Return the seats that a wish allows, worked out once."""
        key = (wish.categories, wish.section)
        pool = self._pools.get(key)
        if pool is None:
            if len(self._pools) >= _POOLS_KEPT:
                self._pools.clear()
                self._heaps.clear()
            pool = self._pools[key] = pool_for(self._room, *key)
        return pool

    def _seats(self, parts: Iterable[Part]) -> list[int]:
        """Return the seats of some windows."""
        rows = self._room.lanes
        return [seat for lane, start, size in parts for seat in rows[lane].seats[start : start + size]]
