"""Keeps the best lane at hand while seats come and go: a heap of lanes by what they can offer now.

Nobody is told when seats change: each heap reads what is new to it in the log of the free seats when it is asked. So
taking a seat costs the same however many sizes and ticket types are on sale.
"""

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final, NamedTuple, Protocol

from fullhouse.seating.choosing.free_seats import FreeSeats

_ENTRIES_PER_LANE_MAX: Final = 8

Part = tuple[int, int, int]
"""Seats side by side: lane, first position, how many."""


class Offer(NamedTuple):
    """The best that a lane has for a party: the lower ``key``, the better."""

    key: int
    parts: tuple[Part, ...]


class Finder(Protocol):
    """Says what lanes have for parties of one size, as seats are free now."""

    looks_ahead: bool
    """Whether an offer depends on the next lane too."""

    def bound(self, lane: int) -> int | None:
        """Return a key that the lane's offer cannot be below, quickly; None where it surely has no offer."""
        ...

    def offer(self, lane: int, key: int) -> Offer | None:
        """Return the lane's offer, now that its bound is known to be this key."""
        ...


class LaneHeap:
    """The best offer over some lanes. Bounds order the heap; only a lane that comes to its top is asked for more."""

    def __init__(self, free: FreeSeats, lanes: Sequence[int], finder: Finder) -> None:
        """Order all lanes by their bounds."""
        self._free = free
        self._members = frozenset(lanes)
        self._finder = finder
        self._stride = len(free.lanes)
        self._keys: dict[int, int | None] = {}
        self._offers: dict[int, Offer] = {}
        self._heap: list[int] = []
        self._log_end = 0
        self.is_dry = False
        """Whether there was nothing to offer when it was last asked."""
        self._look_at_all()

    def best(self) -> Offer | None:
        """Return the best offer as things are now, or None where no lane has one."""
        if self._log_end != self._free.log_end:
            self._catch_up()
        self.is_dry = False
        heap, keys, offers, stride = self._heap, self._keys, self._offers, self._stride
        while heap:
            key, lane = divmod(heap[0], stride)
            if keys[lane] != key:
                heappop(heap)
                continue
            known = offers.get(lane)
            if known is not None:
                return known
            offer = self._finder.offer(lane, key)
            if offer is None:
                keys[lane] = None
                continue
            offers[lane] = offer
            if offer.key != key:
                keys[lane] = offer.key
                heapreplace(heap, offer.key * stride + lane)
        self.is_dry = True
        return None

    def _catch_up(self) -> None:
        """Find new bounds for the lanes that changed since the last time."""
        changed = self._free.changed_since(self._log_end)
        if changed is None or len(self._heap) > _ENTRIES_PER_LANE_MAX * len(self._members):
            self._look_at_all()
            return
        self._log_end = self._free.log_end
        if self._finder.looks_ahead:
            changed |= {lane - 1 for lane in changed}
        bound, keys, offers = self._finder.bound, self._keys, self._offers
        for lane in changed & self._members:
            offers.pop(lane, None)
            key = bound(lane)
            # What a lane's key is now has its entry in the heap already.
            if key != keys[lane]:
                keys[lane] = key
                if key is not None:
                    heappush(self._heap, key * self._stride + lane)

    def _look_at_all(self) -> None:
        """Find the bounds of all lanes anew."""
        self._log_end = self._free.log_end
        bound: Callable[[int], int | None] = self._finder.bound
        self._keys = {lane: bound(lane) for lane in self._members}
        self._offers = {}
        self._heap = [key * self._stride + lane for lane, key in self._keys.items() if key is not None]
        heapify(self._heap)
