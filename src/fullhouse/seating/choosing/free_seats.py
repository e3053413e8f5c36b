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
        self.log_end = 0
        """Where reading the log goes on next time."""
        self._changed: list[int] = []
        self.give_back(free)

    def is_free(self, seat: int) -> bool:
        """Say whether a seat is free."""
        lane, bit = self.room.where[seat]
        return bool(self.lanes[lane] & bit)

    def take(self, seats: Iterable[int]) -> None:
        """Note that seats are no longer free. Those that were not free stay so."""
        lanes, where = self.lanes, self.room.where
        changed: list[int] = []
        for seat in seats:
            lane, bit = where[seat]
            if lanes[lane] & bit:
                lanes[lane] ^= bit
                changed.append(lane)
        self._log(changed)

    def give_back(self, seats: Iterable[int]) -> None:
        """Note that seats are free again. Those that were free stay so."""
        lanes, where = self.lanes, self.room.where
        changed: list[int] = []
        for seat in seats:
            lane, bit = where[seat]
            if not lanes[lane] & bit:
                lanes[lane] |= bit
                changed.append(lane)
        self._log(changed)

    def changed_since(self, log_end: int) -> set[int] | None:
        """Return the lanes that changed since the log ended there, or None where that is forgotten."""
        new = self.log_end - log_end
        changed = self._changed
        return set(changed[len(changed) - new :]) if new <= len(changed) else None

    def _log(self, changed: list[int]) -> None:
        """Log changes. Beyond its bound the log forgets all but the last half of what it may hold."""
        self.log_end += len(changed)
        self._changed += changed
        if len(self._changed) > _LOG_MAX:
            del self._changed[: -_LOG_MAX // 2]
