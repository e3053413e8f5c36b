"""Reading streams: events as they come, and what they make of a session, written anew from the reference."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from starlette.types import ASGIApp, Message, Scope

from fullhouse.core.json import Json

PATIENCE_SECONDS = 20.0
State = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """One event of a stream."""

    id: int
    name: str
    data: dict[str, Any]


def unpack(text: str) -> list[int]:
    """Read two bits a seat, low bits first."""
    return [byte >> shift & 3 for byte in b64decode(text) for shift in (0, 2, 4, 6)]


def apply(state: State | None, event: Event) -> State:
    """Return what an event makes of a state."""
    data = event.data
    if event.name == "snapshot":
        return {**data, "seats": None if data["seats"] is None else unpack(data["seats"])}
    assert event.name == "change"
    assert state is not None
    new = deepcopy(state)
    new["version"], new["on_sale"] = data["version"], data["on_sale"]
    for changed in data.get("ticket_types", ()):
        kind = next(one for one in new["ticket_types"] if one["id"] == changed["id"])
        kind["available"] = changed["available"]
        for price, available in zip(kind["prices"], changed["prices"], strict=True):
            price["available"] = available
    for changed in data.get("areas", ()):
        next(one for one in new["areas"] if one["key"] == changed["key"])["available"] = changed["available"]
    seats = data.get("seats", {})
    if isinstance(seats, str):
        new["seats"] = unpack(seats)
    else:
        for digit, indexes in seats.items():
            for index in indexes:
                new["seats"][index] = int(digit)
    return new


def state_of(availability: dict[str, Any]) -> State:
    """Return the state that an availability answer shows."""
    return apply(None, Event(availability["version"], "snapshot", availability))


def parse(text: str) -> Iterator[Event]:
    """Read whole events; comments and ``retry`` are passed over."""
    for block in text.split("\n\n"):
        fields = dict(line.split(":", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if "data" in fields:
            yield Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))


@dataclass
class Stream:
    """What came of one stream so far."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    text: str = ""
    ended: bool = False
    blocked: asyncio.Event | None = None
    """Where a test makes the reader slow: nothing is taken until it is set."""
    sends: int = 0
    _read: int = 0
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Message) -> None:
        if self.blocked is not None:
            await self.blocked.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.sends += 1
            self.text += message.get("body", b"").decode()
            self.ended = not message.get("more_body", False)
        self._came.set()

    @property
    def events(self) -> list[Event]:
        return list(parse(self.text))

    async def until(self, version: int) -> list[Event]:
        """Wait for an event of at least this version; return all that came until now."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self.events or self.events[-1].id < version:
                await self._next()
        return self.events

    async def next_event(self) -> Event:
        """Wait for the next event that was not returned yet."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.events) <= self._read:
                await self._next()
        self._read += 1
        return self.events[self._read - 1]

    async def until_ended(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self.ended:
                await self._next()

    async def _next(self) -> None:
        self._came.clear()
        await self._came.wait()

    def state(self, state: State | None = None) -> State:
        """Return what all that came makes of a state."""
        for event in self.events:
            state = apply(state, event)
        assert state is not None
        return state


@asynccontextmanager
async def watching(
    app: ASGIApp,
    session_id: UUID | str,
    last_event_id: str | int | None = None,
    address: str = "127.0.0.1",
    method: str = "GET",
) -> AsyncGenerator[Stream]:
    """Open a stream of the app, without a server between; at the end its client leaves."""
    stream, leave = Stream(), asyncio.Event()
    headers = [] if last_event_id is None else [(b"last-event-id", str(last_event_id).encode())]
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": f"/api/v1/sessions/{session_id}/stream",
        "raw_path": f"/api/v1/sessions/{session_id}/stream".encode(),
        "query_string": b"",
        "headers": headers,
        "client": (address, 123),
        "server": ("tickets.example", 80),
    }
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await leave.wait()
        return {"type": "http.disconnect"}

    serving = asyncio.create_task(app(scope, receive, stream.send))  # pyright: ignore[reportArgumentType]
    try:
        yield stream
    finally:
        leave.set()
        if stream.blocked is not None:
            stream.blocked.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await serving


def body_of(stream: Stream) -> dict[str, Json]:
    """Return the body of a refusal."""
    return json.loads(stream.text)
