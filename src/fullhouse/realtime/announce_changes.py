"""Telling other processes that a session changed, through Valkey: the version alone, on the session's channel.

A hint that saves waiting. It may be lost, or Valkey be away: everybody looks the versions up as well.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast
from uuid import UUID

from valkey.asyncio import Valkey
from valkey.exceptions import ValkeyError

from fullhouse.core.clock import Clock
from fullhouse.events.rules import SessionTerms
from fullhouse.infra.valkey import Shield
from fullhouse.reservations.rules import Reservation
from fullhouse.reservations.stock import Stock

TOGETHER_SECONDS = 0.05
"""The first change is told at once; those within this time after it are told together."""
RECONNECT_SECONDS = 1.0
RECANCEL_SECONDS = 0.1
SILENCE_SECONDS_MAX = 30.0
"""After so long without a word the connection is looked at."""

_PREFIX, _SUFFIX = "{session:", "}:changes"
_EVERY_SESSION = "{session:*}:changes"


def channel_name(session_id: UUID) -> str:
    """Name the channel of a session."""
    return f"{_PREFIX}{session_id}{_SUFFIX}"


class Announcer:
    """Tells what the desks of this process sold, and hears what those of others did."""

    def __init__(self, valkey: Valkey, clock: Clock, on_version: Callable[[UUID, int], None]) -> None:
        """Begin silent; ``on_version`` is called for each change that is heard, our own included."""
        self._valkey = valkey
        self._shield = Shield(valkey, clock)
        self._on_version = on_version
        self._pending: dict[UUID, int] = {}
        self._telling: asyncio.Task[None] | None = None
        self._hearing: asyncio.Task[None] | None = None

    def note_held(self, stock: Stock, terms: SessionTerms, held: Sequence[Reservation]) -> None:
        """Take note of what a desk held: this process knows at once, the others a moment later."""
        if held:
            self.note(terms.session_id, stock.version)

    def note(self, session_id: UUID, version: int) -> None:
        """Take note of a new version of a session's stock."""
        self._on_version(session_id, version)
        self._pending[session_id] = version
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell(), name="tell changes")

    def listen(self) -> None:
        """Begin to hear what other processes tell, if that has not begun."""
        if self._hearing is None:
            self._hearing = asyncio.create_task(self._hear(), name="hear changes")

    async def stop_listening(self) -> None:
        """Hear no more."""
        if self._hearing is not None:
            hearing, self._hearing = self._hearing, None
            # The client takes a cancellation in the middle of connecting for a time limit of its own.
            while not hearing.done():
                hearing.cancel()
                await asyncio.wait({hearing}, timeout=RECANCEL_SECONDS)

    async def close(self) -> None:
        """Tell what is to be told, and hear no more."""
        if self._telling is not None:
            await self._telling
        await self.stop_listening()

    async def _tell(self) -> None:
        while self._pending:
            pending, self._pending = self._pending, {}
            await self._shield.ask("stream", lambda client, told=pending: _publish(client, told), None)
            await asyncio.sleep(TOGETHER_SECONDS)
        self._telling = None

    async def _hear(self) -> None:
        while True:
            with suppress(ValkeyError, OSError):
                await self._hear_connected()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _hear_connected(self) -> None:
        # The client's types leave open what it answers.
        async with self._valkey.pubsub(ignore_subscribe_messages=True) as heard:  # pyright: ignore[reportUnknownMemberType]
            await heard.psubscribe(_EVERY_SESSION)  # pyright: ignore[reportUnknownMemberType]
            while True:
                message = cast("dict[str, Any] | None", await heard.get_message(timeout=SILENCE_SECONDS_MAX))  # pyright: ignore[reportUnknownMemberType]
                if message is None:
                    await heard.ping()  # pyright: ignore[reportUnknownMemberType]
                elif message["type"] == "pmessage":
                    self._take(message["channel"], message["data"])

    def _take(self, channel: bytes, data: bytes) -> None:
        with suppress(ValueError):
            session_id = UUID(channel.decode().removeprefix(_PREFIX).removesuffix(_SUFFIX))
            self._on_version(session_id, int(data))


async def _publish(client: Valkey, versions: dict[UUID, int]) -> None:
    pipeline = client.pipeline(transaction=False)
    for session_id, version in versions.items():
        pipeline.publish(channel_name(session_id), version)  # pyright: ignore[reportUnknownMemberType]
    await pipeline.execute()
