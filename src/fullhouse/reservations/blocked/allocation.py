"""What an allocation still keeps from the public, and the stock as whoever may sell from it sees it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from fullhouse.reservations.rules import Draw, SeatState
from fullhouse.reservations.stock import Counter, Stock

_COUNTED = ("category", "area")
"""The quotas that an allocation draws on. Those of ticket types and shared ones count what is held and sold alone."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """What is still blocked of an allocation. A quota stays in it when nothing of it is left."""

    allocation_id: UUID
    quota_counts: Mapping[UUID, int]
    seats: Sequence[int]

    def own_part(self, quota_counts: Mapping[UUID, int]) -> dict[UUID, int]:
        """Return of what is drawn, or comes back, the part that the allocation counts."""
        return {quota_id: count for quota_id, count in quota_counts.items() if quota_id in self.quota_counts}

    def without(self, draw: Draw) -> "Allocation":
        """Return it with less blocked."""
        gone = frozenset(draw.seats)
        seats = [seat for seat in self.seats if seat not in gone]
        return replace(self, seats=seats, quota_counts=self._added(draw.quota_counts, -1))

    def with_more(self, draw: Draw) -> "Allocation":
        """Return it with more blocked: what was taken from it and comes back."""
        return replace(self, seats=sorted((*self.seats, *draw.seats)), quota_counts=self._added(draw.quota_counts, +1))

    def _added(self, counts: Mapping[UUID, int], sign: int) -> dict[UUID, int]:
        return {quota_id: count + sign * counts.get(quota_id, 0) for quota_id, count in self.quota_counts.items()}


def open_to_sellers(stock: Stock, allocation: Allocation) -> Stock:
    """Return a stock in which what the allocation blocks is all that is available."""
    counters = {
        quota_id: Counter(counter.kind, counter.name, allocation.quota_counts.get(quota_id, 0), 0, 0, 0)
        if counter.kind in _COUNTED
        else replace(counter)
        for quota_id, counter in stock.counters.items()
    }
    states = bytearray([SeatState.BLOCKED]) * len(stock.seat_states)
    for seat in allocation.seats:
        states[seat] = SeatState.AVAILABLE
    return Stock(stock.version, counters, stock.seat_map, states)
