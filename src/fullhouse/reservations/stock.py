"""The stock of one session in memory: counters of quotas, and states of seats. Pure; Postgres stays the truth.

A stock knows its version. Whoever holds one brings it up to date with what changed since (``apply``), decides,
writes, and gives back what could not be written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from fullhouse.events.rules import SessionTerms
from fullhouse.reservations.rules import Draw, HeldItem, ItemRequest, QuotaKind, SeatState, draw_of
from fullhouse.seating.best_available import SeatChooser
from fullhouse.seating.rules import SeatMap


@dataclass(slots=True)
class Counter:
    """A quota: ``held + sold + blocked`` never passes ``capacity``."""

    kind: QuotaKind
    name: str
    capacity: int
    held: int
    sold: int
    blocked: int

    @property
    def available(self) -> int:
        """How many may still be held."""
        return self.capacity - self.held - self.sold - self.blocked


@dataclass(frozen=True, slots=True)
class StockChange:
    """What one version changed: seats that took a new state, and counters as they became."""

    version: int
    seats: Sequence[int] = ()
    seat_states: Sequence[int] = ()
    counters: Mapping[UUID, tuple[int, int, int, int]] = field(default_factory=dict[UUID, tuple[int, int, int, int]])
    """Capacity, held, sold, blocked by quota id."""
    terms_changed: bool = False


REMEMBERED_MAX = 1_000


class Places:
    """What a request was granted: items with their prices, and what they draw. Never changed."""

    __slots__ = ("draw", "items", "texts", "total_minor")

    def __init__(self, items: tuple[HeldItem, ...]) -> None:
        """Add up what held items draw and cost."""
        self.items = items
        self.draw = draw_of(items)
        self.total_minor = sum(item.total_minor for item in items)
        # How they are written, once they were: most requests of an on-sale get the very same places.
        self.texts: ShapeTexts | None = None


class ShapeTexts(NamedTuple):
    """How places are written into the row of a reservation: JSON, and the texts of arrays."""

    items: str
    quota_ids: str
    quota_counts: str
    seats: str


class Remembered(NamedTuple):
    """What a request without numbered seats was granted, and the counters that it draws on, with how many of each."""

    places: Places
    counts: Sequence[tuple[Counter, int]]


class Stock:
    """What can still be sold of one session, as of one version."""

    def __init__(
        self,
        version: int,
        counters: dict[UUID, Counter],
        seat_map: SeatMap | None = None,
        seat_states: Iterable[int] = (),
    ) -> None:
        """Begin with what Postgres said; ``seat_states`` has one state for each seat of the map, in its order."""
        self.version = version
        self.counters = counters
        self.seat_map = seat_map
        self.seat_states = bytearray(seat_states)
        self.area_quotas = {counter.name: key for key, counter in counters.items() if counter.kind == "area"}
        self._chooser: SeatChooser | None = None
        self._remembered: dict[tuple[ItemRequest, ...], Remembered] = {}
        self._remembered_terms: SessionTerms | None = None

    @property
    def chooser(self) -> SeatChooser:
        """The chooser of best available seats, built when it is first asked for."""
        if self._chooser is None:
            assert self.seat_map is not None  # noqa: S101 (callers checked that the session has a map)
            free = (i for i, state in enumerate(self.seat_states) if state == SeatState.AVAILABLE)
            self._chooser = SeatChooser(self.seat_map, free)
        return self._chooser

    def available(self, quota_ids: Iterable[UUID]) -> int:
        """Return how many places may be held that draw on all of these quotas."""
        return min(self.counters[quota_id].available for quota_id in quota_ids)

    def remembered(self, terms: SessionTerms, wanted: tuple[ItemRequest, ...]) -> "Remembered | None":
        """Return what an equal request was granted before under the very same terms, if it is remembered."""
        return self._remembered.get(wanted) if self._remembered_terms is terms else None

    def remember(self, terms: SessionTerms, wanted: tuple[ItemRequest, ...], granted: Places) -> None:
        """Remember what a request without numbered seats was granted: it follows from the terms alone."""
        if self._remembered_terms is not terms or len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.clear()
            self._remembered_terms = terms
        counts = [(self.counters[quota_id], count) for quota_id, count in granted.draw.quota_counts.items()]
        self._remembered[wanted] = Remembered(granted, counts)

    def take(self, draw: Draw) -> None:
        """Hold what a reservation draws. The caller has checked that it is there."""
        for quota_id, count in draw.quota_counts.items():
            self.counters[quota_id].held += count
        self._set_seats(draw.seats, SeatState.HELD)

    def give_back(self, draw: Draw) -> None:
        """Undo ``take``: the hold was not written, or it lapsed."""
        for quota_id, count in draw.quota_counts.items():
            self.counters[quota_id].held -= count
        self._set_seats(draw.seats, SeatState.AVAILABLE)

    def apply(self, change: StockChange) -> None:
        """Bring the stock to the next version."""
        self.version = change.version
        for quota_id, numbers in change.counters.items():
            counter = self.counters[quota_id]
            counter.capacity, counter.held, counter.sold, counter.blocked = numbers
        for seat, state in zip(change.seats, change.seat_states, strict=True):
            self._set_seats((seat,), state)

    def _set_seats(self, seats: Sequence[int], state: int) -> None:
        states = self.seat_states
        if self._chooser is not None:
            was_free = [seat for seat in seats if states[seat] == SeatState.AVAILABLE]
            if state == SeatState.AVAILABLE:
                now_free = [seat for seat in seats if states[seat] != SeatState.AVAILABLE]
                self._chooser.give_back(now_free)
            else:
                self._chooser.take(was_free)
        for seat in seats:
            states[seat] = state
