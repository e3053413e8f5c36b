"""One stream: an answer that goes on until its client leaves, its time is over, or the process stops."""

import asyncio
from contextlib import suppress
from uuid import UUID

from starlette.types import Receive, Scope, Send

from fullhouse.infra.hot import piece_of_answer, pipe_of
from fullhouse.infra.hot_reading import find_header
from fullhouse.realtime.changes import encode_retry
from fullhouse.realtime.channel import Channel, Place
from fullhouse.realtime.rules import read_position
from fullhouse.realtime.streams import Streams

RETRY_MS_MIN, RETRY_MS_MORE = 1_000, 4_000
"""Clients connect again after one to five seconds, each after another time."""
LIFETIME_SHARE_MIN = 0.75
"""The shortest stream lasts this share of the longest, so that they do not all end together."""

HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
)


async def stream_changes(streams: Streams, session_id: UUID, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a session as it is, or what changed since the client's last event, and then every change.

    Raises ``SessionNotFound``, ``TooManyStreams`` and ``TooManyStreamsFromAddress`` before anything was sent.
    """
    client = scope.get("client")
    with streams.admitted("unknown" if client is None else client[0]):
        follower = await streams.follow(session_id)
        last_event_id = find_header(scope, b"last-event-id")
        position = read_position(None if last_event_id is None else last_event_id.decode("latin-1"))
        if position is not None:
            await follower.reach(position)
        await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
        if scope.get("fullhouse.method") == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        watcher = _Watcher(follower.channel, Place(follower.channel.number, pipe_of(scope)), send)
        seconds = streams.limits.seconds_max * (LIFETIME_SHARE_MIN + (1 - LIFETIME_SHARE_MIN) * streams.share())
        retry = encode_retry(RETRY_MS_MIN + round(RETRY_MS_MORE * streams.share()))
        leaving = asyncio.create_task(watcher.stop_when_gone(receive), name=f"watcher of {session_id}")
        ending = asyncio.get_running_loop().call_later(seconds, watcher.stop)
        try:
            await watcher.send_all(retry, position)
        finally:
            ending.cancel()
            leaving.cancel()
            await asyncio.wait({leaving})


class _Watcher:
    """Who reads one stream. Nothing is kept for it but the number of the last event that it was sent."""

    def __init__(self, channel: Channel, place: Place, send: Send) -> None:
        self._channel = channel
        self._place = place
        self._send = send
        self._is_over = False
        self._is_gone = False

    def stop(self) -> None:
        """End the stream."""
        self._is_over = True
        self._place.wake()

    async def stop_when_gone(self, receive: Receive) -> None:
        """End the stream when its client has left."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
        self.stop()

    async def send_all(self, retry: bytes, position: int | None) -> None:
        """Send what is to be known first, then what the channel could not tell by itself, until the end."""
        channel, place = self._channel, self._place
        channel.watcher_count += 1
        try:
            place.number, opening = channel.number, channel.opening(position)
            await self._send(piece_of_answer(retry + opening))
            while not (self._is_over or channel.ended):
                news = channel.after(place.number)
                if news:
                    place.number = channel.number
                    await self._send(channel.piece() if news is channel.latest else piece_of_answer(news))
                else:
                    await channel.wait(place)
            if not self._is_gone:
                with suppress(OSError):
                    await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            channel.watcher_count -= 1
            channel.idle_since = asyncio.get_running_loop().time()
