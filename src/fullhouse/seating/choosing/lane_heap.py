"""Keeps the best lane at hand while seats come and go: a heap of lanes by what they can offer now.

Nobody is told when seats change: each heap reads what is new to it in the log of the free seats when it is asked. So
taking a seat costs the same however many sizes and ticket types are on sale.
"""

from collections.abc import Collection, Iterable
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final, NamedTuple, Protocol

from fullhouse.seating.choosing.free_seats import FreeSeats

_ENTRIES_PER_LANE_MAX: Final = 8
_NO_ENTRY: Final = -1

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

    def bounds(self, lanes: Collection[int]) -> Iterable[int | None]:
        """Return for each lane a key that its offer cannot be below, quickly; None where it surely has no offer."""
        ...

    def offer(self, lane: int, key: int) -> Offer | None:
        """Return the lane's offer, now that its bound is known to be this key."""
        ...


class LaneHeap:
    """The best offer over some lanes. Bounds order the heap; only a lane that comes to its top is asked for more."""

    def __init__(self, free: FreeSeats, lanes: frozenset[int], finder: Finder) -> None:
        """Order all lanes by their bounds."""
        self._free = free
        self._members = lanes
        self._finder = finder
        # An entry is a key with its lane in the lowest bits: of equal keys the lower lane comes first.
        self._lane_bits = len(free.lanes).bit_length()
        self._entries = [_NO_ENTRY] * len(free.lanes)
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
        heap, entries, offers, lane_bits = self._heap, self._entries, self._offers, self._lane_bits
        lane_mask = (1 << lane_bits) - 1
        while heap:
            entry = heap[0]
            lane = entry & lane_mask
            if entries[lane] != entry:
                heappop(heap)
                continue
            known = offers.get(lane)
            if known is not None:
                return known
            offer = self._finder.offer(lane, entry >> lane_bits)
            if offer is None:
                entries[lane] = _NO_ENTRY
                continue
            offers[lane] = offer
            exact = offer.key << lane_bits | lane
            if exact != entry:
                entries[lane] = exact
                heapreplace(heap, exact)
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
            changed.update([lane - 1 for lane in changed])
        entries, offers, heap = self._entries, self._offers, self._heap
        lane_bits = self._lane_bits
        lanes = changed & self._members
        for lane, key in zip(lanes, self._finder.bounds(lanes), strict=True):
            known = entries[lane]
            if known != _NO_ENTRY:
                offers.pop(lane, None)
            elif key is None:
                continue
            entry = _NO_ENTRY if key is None else key << lane_bits | lane
            # What a lane's entry is now lies in the heap already.
            if entry != known:
                entries[lane] = entry
                if entry != _NO_ENTRY:
                    heappush(heap, entry)

    def _look_at_all(self) -> None:
        """Find the bounds of all lanes anew."""
        self._log_end = self._free.log_end
        self._offers = {}
        for lane, key in zip(self._members, self._finder.bounds(self._members), strict=True):
            self._entries[lane] = _NO_ENTRY if key is None else key << self._lane_bits | lane
        self._heap = [entry for entry in self._entries if entry != _NO_ENTRY]
        heapify(self._heap)
