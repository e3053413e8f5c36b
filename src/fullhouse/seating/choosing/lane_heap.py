"""Keeps the best lane at hand while seats come and go: a heap of lanes by what they offer now.

Nobody is told when seats change: each heap reads what is new to it in the log of the free seats when it is asked. So
taking a seat costs the same however many sizes and ticket types are on sale.
"""

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from fullhouse.seating.choosing.free_seats import FreeSeats

_ENTRIES_PER_LANE_MAX: Final = 8

Part = tuple[int, int, int]
"""Seats side by side: lane, first position, how many."""


class Offer(NamedTuple):
    """The best that a lane has for a party: the lower ``key``, the better."""

    key: int
    parts: tuple[Part, ...]


class LaneHeap:
    """The best offer over some lanes.

    ``offer`` says what a lane has now. With ``looks_ahead`` it looks at the next lane too, so a lane that changes
    changes the offer of the one before.
    """

    def __init__(
        self, free: FreeSeats, lanes: Sequence[int], offer: Callable[[int], Offer | None], *, looks_ahead: bool
    ) -> None:
        """Look at all lanes once."""
        self._free = free
        self._members = frozenset(lanes)
        self._offer = offer
        self._looks_ahead = looks_ahead
        self._stride = len(free.lanes)
        self._offers: dict[int, Offer | None] = {}
        self._heap: list[int] = []
        self._log_end = 0
        self._look_at_all()

    def best(self) -> Offer | None:
        """Return the best offer as things are now, or None where no lane has one."""
        if self._log_end != self._free.log_end:
            self._catch_up()
        heap, offers, stride = self._heap, self._offers, self._stride
        while heap:
            key, lane = divmod(heap[0], stride)
            offer = offers[lane]
            if offer is not None and offer.key == key:
                return offer
            heappop(heap)
        return None

    def _catch_up(self) -> None:
        """Ask the lanes that changed since the last time again."""
        changed = self._free.changed_since(self._log_end)
        if changed is None or len(self._heap) > _ENTRIES_PER_LANE_MAX * len(self._members):
            self._look_at_all()
            return
        self._log_end = self._free.log_end
        if self._looks_ahead:
            changed |= {lane - 1 for lane in changed}
        offers, stride, heap = self._offers, self._stride, self._heap
        for lane in changed & self._members:
            offer = self._offer(lane)
            known = offers[lane]
            offers[lane] = offer
            # What the lane offered before is in the heap already.
            if offer is not None and (known is None or known.key != offer.key):
                heappush(heap, offer.key * stride + lane)

    def _look_at_all(self) -> None:
        """Ask every lane and order them anew."""
        self._log_end = self._free.log_end
        self._offers = {lane: self._offer(lane) for lane in self._members}
        stride = self._stride
        self._heap = [offer.key * stride + lane for lane, offer in self._offers.items() if offer is not None]
        heapify(self._heap)
