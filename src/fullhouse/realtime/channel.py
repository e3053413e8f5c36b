"""A session in one process: what it is now, what happened to it of late, and who waits for more.

Each event is encoded once, and everybody gets the same bytes. Nothing is queued for anybody: whoever has read what
was sent asks for what came after it, and who is far behind gets a snapshot.
"""

import asyncio
from collections.abc import Callable

from starlette.types import Message

from fullhouse.infra.hot import piece_of_answer
from fullhouse.realtime.changes import (
    HEARTBEAT,
    Watched,
    change_json,
    encode_event,
    snapshot_json,
)
from fullhouse.realtime.ring import Event, Ring
from fullhouse.reservations.stock import StockChange

HEARTBEAT_SECONDS = 15.0
BEHIND_MAX = 8
"""Who is more events behind than this gets a snapshot in their place: at four a second, that is two seconds."""
WAKE_COUNT = 100
"""So many watchers are woken at once; then whatever else the process does has its turn."""


class Channel:
    """What the watchers of one session share."""

    def __init__(self, watched: Watched, clock: Callable[[], float]) -> None:
        """Begin with a session as it is. ``clock`` only goes forward, and counts seconds."""
        self.watched = watched
        self.number = 0
        """Of the last event that was sent to everybody."""
        self.latest = b""
        """That event."""
        self.ended = False
        self.watcher_count = 0
        self.idle_since = clock()
        self._clock = clock
        self._sent_at = clock()
        self._ring = Ring()
        self._snapshot: bytes | None = None
        self._piece: Message | None = None
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def version(self) -> int:
        """The version of the stock that is shown."""
        return self.watched.stock.version

    def snapshot(self) -> bytes:
        """Return the whole as it is now, encoded once for each event."""
        if self._snapshot is None:
            self._snapshot = encode_event("snapshot", self.version, snapshot_json(self.watched))
        return self._snapshot

    def opening(self, position: int | None) -> bytes:
        """Return what brings somebody up to date who has a version, or nothing."""
        missed = None if position is None else self._since(position)
        return self.snapshot() if missed is None else missed

    def _since(self, position: int) -> bytes | None:
        """Return the changes after a version, and last whether it is on sale: that may change without a version."""
        missed = b"" if position == self.version else self._ring.after_version(position)
        if missed is None or position > self.version:
            return None
        return missed + encode_event("change", self.version, {"version": self.version, "on_sale": self.watched.on_sale})

    def after(self, number: int) -> bytes:
        """Return what was sent to everybody after an event; nothing if that was the last."""
        behind = self.number - number
        if behind == 1:
            return self.latest
        if behind == 0:
            return b""
        missed = self._ring.after_number(number) if behind <= BEHIND_MAX else None
        return self.snapshot() if missed is None else missed

    def piece(self) -> Message:
        """Return the last event as everybody sends it, made once."""
        if self._piece is None:
            self._piece = piece_of_answer(self.latest)
        return self._piece

    def change(self, watched: Watched, change: StockChange, after: int) -> None:
        """Take note of what changed after a version."""
        self.watched = watched
        self._add(encode_event("change", self.version, change_json(watched, change)), after)

    def replace(self, watched: Watched) -> None:
        """Begin anew: what is to be shown does not follow on what was."""
        self.watched = watched
        self._ring.clear()
        self._snapshot = None
        data = self.snapshot()
        self.number += 1
        self.latest, self._piece, self._sent_at = data, None, self._clock()

    def beat(self) -> bool:
        """Say something if all was silent for a while; whether it was."""
        if self._clock() - self._sent_at < HEARTBEAT_SECONDS:
            return False
        snapshot = self._snapshot
        self._add(HEARTBEAT, self.version)
        self._snapshot = snapshot
        return True

    def _add(self, data: bytes, after: int) -> None:
        self.number += 1
        self._snapshot = None
        self.latest, self._piece, self._sent_at = data, None, self._clock()
        self._ring.add(Event(self.number, after, self.version, self._sent_at, data))

    def wait(self) -> asyncio.Future[None]:
        """Return what is done at the next event. Ask ``after`` first, with nothing awaited between."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        return waiter

    async def wake(self) -> None:
        """Let everybody send what is new, some at a time."""
        waiting, self._waiting = self._waiting, []
        try:
            while waiting:
                _wake(waiting[-WAKE_COUNT:])
                del waiting[-WAKE_COUNT:]
                await asyncio.sleep(0)
        finally:
            self._waiting += waiting

    def end(self) -> None:
        """Send everybody away."""
        self.ended = True
        _wake(self._waiting)
        self._waiting.clear()


def _wake(waiting: list[asyncio.Future[None]]) -> None:
    for waiter in waiting:
        if not waiter.done():
            waiter.set_result(None)
