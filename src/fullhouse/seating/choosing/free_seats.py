"""The free seats of one session, a bit for each by lane and position, with a log of the lanes that changed."""

from collections.abc import Iterable
from typing import Final

from fullhouse.seating.choosing.room import Room

_LOG_MAX: Final = 8_192


class FreeSeats:
    """Which seats are free now. ``lanes[n]`` has a bit for each free seat of lane ``n``."""

    def __init__(self, room: Room, free: Iterable[int]) -> None:
        """Begin with the indexes of the free seats."""
        self.room = room
        self.lanes = [0] * len(room.lanes)
        self._forgotten = 0
        self._changed: list[int] = []
        self.give_back(free)

    def is_free(self, seat: int) -> bool:
        """Say whether a seat is free."""
        lane, bit = self.room.where[seat]
        return bool(self.lanes[lane] & bit)

    def take(self, seats: Iterable[int]) -> None:
        """Note that seats are no longer free. Those that were not free stay so."""
        lanes, where = self.lanes, self.room.where
        for seat in seats:
            lane, bit = where[seat]
            if lanes[lane] & bit:
                lanes[lane] ^= bit
                self._note(lane)

    def give_back(self, seats: Iterable[int]) -> None:
        """Note that seats are free again. Those that were free stay so."""
        lanes, where = self.lanes, self.room.where
        for seat in seats:
            lane, bit = where[seat]
            if not lanes[lane] & bit:
                lanes[lane] |= bit
                self._note(lane)

    @property
    def log_end(self) -> int:
        """Where reading the log goes on next time."""
        return self._forgotten + len(self._changed)

    def changed_since(self, log_end: int) -> set[int] | None:
        """Return the lanes that changed since the log ended there, or None where that is forgotten."""
        return set(self._changed[log_end - self._forgotten :]) if log_end >= self._forgotten else None

    def _note(self, lane: int) -> None:
        """Log a change. Beyond its bound the older half of the log is forgotten."""
        changed = self._changed
        changed.append(lane)
        if len(changed) > _LOG_MAX:
            half = len(changed) // 2
            del changed[:half]
            self._forgotten += half
