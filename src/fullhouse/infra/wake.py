"""Wake-ups: NOTIFY and LISTEN on connections of their own, outside the transactions of the sale.

A wake-up is a hint that saves waiting. It may be lost, so who waits also looks by itself from time to time.
"""

import asyncio
from collections import defaultdict
from contextlib import suppress

from fullhouse.infra.postgres import DatabaseUnavailable, OwnConnection, open_connection

OUTBOX_CHANNEL = "fullhouse_outbox"
QUEUES_CHANNEL = "fullhouse_queues"

TOGETHER_SECONDS = 0.02
"""The first wake-up is sent at once; those asked for within this time after it become one more."""

SOON_SECONDS = 0.2
"""So late is a wake-up that can wait: a relay that is woken for each of many small things does little else."""

_RECONNECT_SECONDS = 1.0


class Notifier:
    """Tells the relays that the outbox has something to send. Roots call ``wake`` after their commits."""

    def __init__(self, database_url: str) -> None:
        """Connect when it is first needed."""
        self._url = database_url
        self._conn: OwnConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._wanted = False
        self._soon: asyncio.TimerHandle | None = None

    def wake_soon(self) -> None:
        """Ask for a wake-up a moment later, together with all that is asked for until then."""
        if self._url and self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(SOON_SECONDS, self._wake_now)

    def _wake_now(self) -> None:
        self._soon = None
        self.wake()

    def wake(self) -> None:
        """Ask for a wake-up and return at once; it never fails, since the relays also look by themselves.

        Without a URL nothing is sent.
        """
        if not self._url:
            return
        self._wanted = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._notify(), name="notify-outbox")

    async def close(self) -> None:
        """Send what was asked for, and close the connection."""
        if self._soon is not None:
            self._soon.cancel()
            self._wake_now()
        if self._task is not None:
            await self._task
        if self._conn is not None and not self._conn.is_closed():
            await self._conn.close(timeout=1)

    async def _notify(self) -> None:
        while self._wanted:
            self._wanted = False
            # Whatever is wrong with this connection is not the business of who asked.
            with suppress(Exception):
                if self._conn is None or self._conn.is_closed():
                    self._conn = await open_connection(self._url, application_name="fullhouse-notify")
                await self._conn.execute("SELECT pg_notify($1, '')", OUTBOX_CHANNEL)
            await asyncio.sleep(TOGETHER_SECONDS)


class Listener:
    """Waits for wake-ups of one channel, told apart by their payload (the topic)."""

    def __init__(self, database_url: str, channel: str) -> None:
        """Connect when it is first waited for. Without a URL no wake-up comes, and all that is left is to look."""
        self._url = database_url
        self._channel = channel
        self._conn: OwnConnection | None = None
        self._connecting = asyncio.Lock()
        self._retry_at = 0.0
        self._events: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def arm(self, topic: str = "") -> None:
        """Forget earlier wake-ups. Call it before looking for work: one that comes while looking is then kept."""
        await self._connect()
        self._events[topic].clear()

    async def wait(self, seconds_max: float, topic: str = "") -> None:
        """Return at a wake-up of the topic since it was armed, or after that many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                await self._events[topic].wait()

    async def close(self) -> None:
        """Stop listening."""
        if self._conn is not None and not self._conn.is_closed():
            await self._conn.close(timeout=1)

    async def _connect(self) -> None:
        async with self._connecting:
            clock = asyncio.get_running_loop().time
            is_open = self._conn is not None and not self._conn.is_closed()
            if not self._url or is_open or clock() < self._retry_at:
                return
            self._retry_at = clock() + _RECONNECT_SECONDS
            with suppress(DatabaseUnavailable):
                self._conn = await open_connection(self._url, application_name="fullhouse-listen")
                await self._conn.add_listener(self._channel, self._on_notify)

    def _on_notify(self, _conn: object, _pid: int, _channel: str, payload: str) -> None:
        self._events[payload].set()
