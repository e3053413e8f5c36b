"""Keeping what is shown of a session up to date, at most four times a second, from the notes that every change leaves.

Whoever sells tells the new version (``note``). Nobody has to: the versions are looked up every second as well.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from fullhouse.catalogue.queries import load_map_version, load_now
from fullhouse.catalogue.show_event import is_public
from fullhouse.events.queries import load_event, load_terms
from fullhouse.events.rules import SessionNotFound
from fullhouse.infra.postgres import Connection, Pool, connection, transaction
from fullhouse.infra.telemetry import get_log
from fullhouse.realtime import queries
from fullhouse.realtime.changes import Watched, merge_changes
from fullhouse.realtime.channel import Channel
from fullhouse.reservations.queries import load_changes, load_stock
from fullhouse.reservations.rules import SessionNotFound as StockNotFound
from fullhouse.reservations.stock import StockChange

COALESCE_SECONDS = 0.25
PAUSE_SECONDS_MIN = 0.05
"""Where the work takes as long as that, something else has its turn all the same."""
VERSIONS_MAX = 2_000
"""Who is more versions behind loads everything anew."""
REACH_SECONDS_MAX = 1.0
RETRY_SECONDS = 1.0

NOT_FOUND = (SessionNotFound, StockNotFound)

_log = get_log("realtime")


class Follower:
    """Follows one session from the moment on at which it was loaded."""

    def __init__(self, pool: Pool, organization_id: UUID, session_id: UUID) -> None:
        """Begin with nothing; ``open`` loads it."""
        self.organization_id = organization_id
        self.session_id = session_id
        self.channel: Channel
        self._pool = pool
        self._clock = asyncio.get_running_loop().time
        self._told = 0
        self._is_anew = False
        self._news = asyncio.Event()
        self._asked: asyncio.Future[None] | None = None
        self._read_at: tuple[datetime, float]
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Load the session and begin to follow it. Raises ``SessionNotFound``, also for a session of a draft."""
        watched = await self._load()
        self.channel = Channel(watched, self._clock)
        self._told = max(self._told, watched.stock.version)
        self._task = asyncio.create_task(self._follow(), name=f"stream {self.session_id}")

    async def close(self) -> None:
        """Follow no more, and send all watchers away."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self.channel.end()

    def note(self, version: int) -> None:
        """Take note that the stock has a version."""
        if version > self._told:
            self._told = version
            self._news.set()

    def note_read(self, version: int | None, now: datetime, shown: int) -> None:
        """Take note of what the database said, and of the version that was shown before it was asked."""
        self._read_at = now, self._clock()
        if version is None or version < shown:
            # The session is gone, or the database is another than it was: a backup, or a standby that lacks the end.
            self._is_anew = True
            self._news.set()
        if self.channel.watched.on_sale != self._is_on_sale() or self.channel.beat():
            self._news.set()
        self.note(version or 0)

    async def reach(self, version: int) -> None:
        """Look whether there is a version already that somebody has seen elsewhere."""
        if version <= self.channel.version:
            return
        if self._asked is None:
            self._asked = asyncio.get_running_loop().create_future()
            self._news.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(REACH_SECONDS_MAX):
                await asyncio.shield(self._asked)

    async def _follow(self) -> None:
        while not self.channel.ended:
            await self._news.wait()
            self._news.clear()
            pause, started = COALESCE_SECONDS, self._clock()
            asked, self._asked = self._asked, None
            try:
                await self._catch_up(is_asked=asked is not None)
            except NOT_FOUND:
                self.channel.end()
            except Exception as error:  # noqa: BLE001 (whatever it was, those who watch get all anew after it)
                _log.warning("stream_behind", session_id=str(self.session_id), error=repr(error))
                self._is_anew = True
                self._news.set()
                pause = RETRY_SECONDS
            finally:
                if asked is not None and not asked.done():
                    asked.set_result(None)
            await self.channel.tell()
            await asyncio.sleep(max(started + pause - self._clock(), PAUSE_SECONDS_MIN))

    async def _catch_up(self, *, is_asked: bool) -> None:
        channel = self.channel
        if is_asked:
            await self._look()
        version = channel.version
        changes = await self._changes(version, self._told)
        if changes is None:
            watched = await self._load()
            self._told, self._is_anew = watched.stock.version, False
            channel.replace(watched)
        elif changes:
            for change in changes:
                channel.watched.stock.apply(change)
            watched = replace(channel.watched, on_sale=self._is_on_sale())
            channel.change(watched, merge_changes(changes), version)
        elif channel.watched.on_sale != self._is_on_sale():
            channel.change(replace(channel.watched, on_sale=self._is_on_sale()), StockChange(version), version)

    async def _look(self) -> None:
        async with connection(self._pool, self.organization_id) as conn:
            versions, _ = await queries.load_versions(conn, self.organization_id, [self.session_id])
        self._told = max(self._told, versions.get(self.session_id, 0))

    async def _changes(self, after: int, until: int) -> list[StockChange] | None:
        """Return what changed between two versions; None where all must be loaded anew."""
        if self._is_anew or until - after > VERSIONS_MAX:
            return None
        if until <= after:
            return []
        async with connection(self._pool, self.organization_id) as conn:
            changes = await load_changes(conn, self.organization_id, self.session_id, after, until)
        known = self.channel.watched.stock.counters.keys()
        if changes is None or any(one.terms_changed or one.counters.keys() - known for one in changes):
            return None
        return changes

    async def _load(self) -> Watched:
        async with transaction(self._pool, self.organization_id) as conn:
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            watched, now = await load_watched(conn, self.organization_id, self.session_id)
        self._read_at = now, self._clock()
        return watched

    def _is_on_sale(self) -> bool:
        """Say whether it is on sale now, by the database's clock as it was read last, and what has passed since."""
        now, at = self._read_at
        return self.channel.watched.terms.on_sale_at(now + timedelta(seconds=self._clock() - at))


async def load_watched(conn: Connection, organization_id: UUID, session_id: UUID) -> tuple[Watched, datetime]:
    """Load a session as it is to be shown, and the database's time. Raises ``SessionNotFound``."""
    terms = await load_terms(conn, organization_id, session_id)
    event = None if terms is None else await load_event(conn, organization_id, terms.event_id)
    if terms is None or event is None or not is_public(event):
        raise SessionNotFound
    stock = await load_stock(conn, organization_id, session_id)
    map_version = None
    if terms.seat_map_id is not None:
        map_version = await load_map_version(conn, organization_id, terms.seat_map_id)
    now = await load_now(conn)
    return Watched(stock, terms, map_version, terms.on_sale_at(now)), now
