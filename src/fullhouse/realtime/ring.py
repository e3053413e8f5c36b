"""The events of the last minute, in the order in which they were sent, so that a client can go on where it was. Pure.

Events are told apart by a number that counts up in one process, since not every event moves the version of the stock.
"""

from collections import deque
from dataclasses import dataclass

KEPT_SECONDS = 60.0
KEPT_BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Event:
    """An encoded event, which may be applied to any state from version ``after`` on."""

    number: int
    after: int
    version: int
    at: float
    """Seconds of a clock that only goes forward."""
    data: bytes


class Ring:
    """Keeps a gapless run of events: for a minute, and up to a number of bytes."""

    def __init__(self, seconds: float = KEPT_SECONDS, bytes_max: int = KEPT_BYTES_MAX) -> None:
        """Begin empty."""
        self._seconds = seconds
        self._bytes_max = bytes_max
        self._events: deque[Event] = deque()
        self._bytes = 0

    def add(self, event: Event) -> None:
        """Keep an event that follows on the last one, and let go of what is too old or too much."""
        self._events.append(event)
        self._bytes += len(event.data)
        while self._events and (self._events[0].at < event.at - self._seconds or self._bytes > self._bytes_max):
            self._bytes -= len(self._events.popleft().data)

    def clear(self) -> None:
        """Forget everything: what follows does not follow on it."""
        self._events.clear()
        self._bytes = 0

    def after_number(self, number: int) -> bytes | None:
        """Return the events after one, or None where some of them are gone. The last event is kept, or none is."""
        if not self._events or self._events[0].number > number + 1:
            return None
        behind = self._events[-1].number - number
        return b"".join(self._events[index].data for index in range(-behind, 0))

    def after_version(self, version: int) -> bytes | None:
        """Return the events that bring a state of a version up to date, or None where some are gone."""
        if not self._events or self._events[0].after > version:
            return None
        return b"".join(event.data for event in self._events if event.version > version)
