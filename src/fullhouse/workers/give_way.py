"""Giving way: how long a process that has only what others leave rests, by how long it waited for a processor.

An idle process costs those who buy all the same: its statements are served by the database at full weight, and it takes
every moment in which a sale waits for a disk or a lock. So it rests while it finds that there is nothing left for it.
"""

from pathlib import Path
from typing import Final

STARVED_SHARE: Final = 0.82
"""Of the time in which it had something to do, what it waits for a processor while others need them all.

In a sale it is 0.85 to 0.96; when renderers and the database have two processors for themselves, 0.4 to 0.79.
"""

LOOK_SECONDS_MIN: Final = 0.1
"""So long it must have run and waited until that says anything."""

REST_SECONDS_MIN: Final = 0.125
REST_SECONDS_MAX: Final = 1.0
"""Mails go on while a sale lasts, and soon after it at full speed."""

_OWN_TIMES: Final = Path("/proc/self/schedstat")
_NANOSECONDS: Final = 1e9


class GiveWay:
    """What the system counts of this process (Linux); elsewhere nobody rests."""

    def __init__(self, times: Path = _OWN_TIMES) -> None:
        """Begin to look."""
        self._times = times
        self._ran, self._waited = self._read()
        self._rest_seconds = 0.0

    def rest_seconds(self) -> float:
        """Return for how many seconds to rest before the next work: twice as long each time that it is starved."""
        ran, waited = self._read()
        ran_for, waited_for = ran - self._ran, waited - self._waited
        if ran_for + waited_for < LOOK_SECONDS_MIN:
            return 0.0
        self._ran, self._waited = ran, waited
        is_starved = waited_for > STARVED_SHARE * (ran_for + waited_for)
        longer = min(REST_SECONDS_MAX, max(REST_SECONDS_MIN, 2 * self._rest_seconds))
        self._rest_seconds = longer if is_starved else 0.0
        return self._rest_seconds

    def _read(self) -> tuple[float, float]:
        """Return for how many seconds its main thread has run, and waited to run."""
        try:
            ran, waited, _ = self._times.read_text(encoding="ascii").split()
        except (OSError, ValueError):
            return 0.0, 0.0
        return int(ran) / _NANOSECONDS, int(waited) / _NANOSECONDS
