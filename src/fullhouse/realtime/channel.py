"""A session in one process: what it is now, what happened to it of late, and who waits for more.

Each event is encoded once, and everybody gets the same bytes, straight onto their connections. Nothing is queued for
anybody: who does not read what was sent is woken, waits until it is read, and asks for what came after it; who is then
far behind gets a snapshot.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Message

from fullhouse.infra.hot import CHUNK, Pipe, piece_of_answer
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
TOLD_AT_ONCE_MIN = 250
TURNS_MAX = 8
"""So many watchers are told in one turn of the event loop, or an eighth of all; then whatever else the process does has
its turn. In an on-sale a turn is long, so that many turns would make those who are told last wait."""


@dataclass(slots=True, eq=False)
class Place:
    """Where one watcher is: the number of the last event that it was sent, and how it is reached while it waits."""

    number: int
    pipe: Pipe | None
    woken: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Let the watcher look for itself."""
        if self.woken is not None and not self.woken.done():
            self.woken.set_result(None)


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
        self._waiting: list[Place] = []

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

    def wait(self, place: Place) -> asyncio.Future[None]:
        """Let a watcher who has everything be told; return what is done when it has to look for itself.

        Ask ``after`` first, with nothing awaited between.
        """
        place.woken = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        return place.woken

    async def tell(self) -> None:
        """Tell everybody what is new, some at a time."""
        untold, self._waiting = self._waiting, []
        at_once = max(TOLD_AT_ONCE_MIN, len(untold) // TURNS_MAX)
        try:
            while untold:
                some = untold[-at_once:]
                del untold[-at_once:]
                self._waiting += self._told(some)
                await asyncio.sleep(0)
        finally:
            self._waiting += untold

    def _told(self, places: list[Place]) -> list[Place]:
        """Send some the last event; return who has it. The others are woken: they missed more, or do not read."""
        number, chunk = self.number, self.piece()[CHUNK]
        told: list[Place] = []
        for place in places:
            if place.woken is None or place.woken.done():
                continue
            if place.number == number:
                told.append(place)
            elif place.number == number - 1 and place.pipe is not None and place.pipe.write_piece(chunk):
                place.number = number
                told.append(place)
            else:
                place.woken.set_result(None)
        return told

    def end(self) -> None:
        """Send everybody away."""
        self.ended = True
        for place in self._waiting:
            place.wake()
        self._waiting.clear()
