"""What was read a moment ago, for those who only look: so that many who look at one thing cost one look.

What another process wrote is seen after a second at most. What this process wrote is seen at once: after
``note_written`` everything is read anew.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

FRESH_SECONDS = 1.0
PACE_SECONDS = 0.25
"""What changes all the time is read anew so often at most, but a first change is seen at once."""
KEPT_MAX = 2_000

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(slots=True)
class _Read(Generic[Value]):
    """One look, under way or done, and when it began."""

    value: asyncio.Future[Value]
    begun: float
    writes: int
    followed_at: float
    """When a change was followed last."""
    is_changed: bool = False


class Fresh(Generic[Key, Value]):
    """Values by key, each read at most once a second, and once for all who ask while it is being read."""

    def __init__(self, read: Callable[[Key], Awaitable[Value]], kept_max: int = KEPT_MAX) -> None:
        """Remember how to read; nothing is read before it is asked for."""
        self._read = read
        self._kept_max = kept_max
        self._kept: OrderedDict[Key, _Read[Value]] = OrderedDict()
        self._writes = 0

    def note_written(self) -> None:
        """Read everything anew when it is asked for next."""
        self._writes += 1

    def forget(self, key: Key) -> None:
        """Read one value anew when it is asked for next."""
        self._kept.pop(key, None)

    def note_changed(self, key: Key) -> None:
        """Read one value anew when it is asked for next, unless that was done for a change a moment ago."""
        kept = self._kept.get(key)
        if kept is not None:
            kept.is_changed = True

    def peek(self, key: Key) -> Value | None:
        """Return a value that was read and is still fresh; None where ``get`` has to read it."""
        kept = self._kept.get(key)
        if kept is None or not kept.value.done() or self._is_old(kept, asyncio.get_running_loop().time()):
            return None
        return None if kept.value.cancelled() or kept.value.exception() is not None else kept.value.result()

    async def get(self, key: Key) -> Value:
        """Return a value as it was at most a second ago. Raises what reading it raises, and remembers no failure."""
        now = asyncio.get_running_loop().time()
        kept = self._kept.get(key)
        if kept is None or self._is_old(kept, now):
            task = asyncio.ensure_future(self._read(key))
            followed_at = -PACE_SECONDS if kept is None else now if kept.is_changed else kept.followed_at
            kept = self._kept[key] = _Read(task, now, self._writes, followed_at)
            task.add_done_callback(lambda done: self._forget_failure(key, done))
            if len(self._kept) > self._kept_max:
                self._kept.popitem(last=False)
        # Who goes away does not take the value from those who wait with them.
        return await asyncio.shield(kept.value)

    def _is_old(self, kept: _Read[Value], now: float) -> bool:
        if kept.writes != self._writes or now - kept.begun >= FRESH_SECONDS:
            return True
        return kept.is_changed and now - kept.followed_at >= PACE_SECONDS

    def _forget_failure(self, key: Key, done: "asyncio.Future[Value]") -> None:
        if done.cancelled() or done.exception() is not None:
            kept = self._kept.get(key)
            if kept is not None and kept.value is done:
                del self._kept[key]
