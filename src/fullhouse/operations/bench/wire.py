"""A client that costs little beside the server that it measures: HTTP/1.1 over kept connections, bytes in, bytes out.

It reads what the product writes (a ``content-length`` or no body) and nothing else. Redirects, cookies and chunks are
for clients of people.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, cast

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_STATUS: Final = slice(9, 12)
LOST: Final = 0
"""The status of a request whose connection ended before the answer."""


class Answer(NamedTuple):
    """An answer: status (``LOST`` where none came), head and body."""

    status: int
    head: bytes
    body: bytes


Done = Callable[[Answer], None]


class Wire(asyncio.Protocol):
    """One connection with one request at a time."""

    __slots__ = ("_buffer", "_done", "_needed", "_transport", "host", "port")

    def __init__(self, host: str, port: int) -> None:
        """Name the server; ``open`` connects."""
        self.host = host
        self.port = port
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._needed = 0
        self._done: Done | None = None

    async def open(self) -> None:
        """Connect, if it is not connected. Raises ``OSError``."""
        if self._transport is None:
            await asyncio.get_running_loop().create_connection(lambda: self, self.host, self.port)

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent."""
        return self._transport is not None

    def ask(self, request: bytes, done: Done) -> None:
        """Send a request; ``done`` is called once, with the answer."""
        self._done = done
        if self._transport is None:
            self._end(Answer(LOST, b"", b""))
        else:
            self._transport.write(request)

    async def fetch(self, request: bytes) -> Answer:
        """Send a request and wait for its answer, over a new connection if the last one ended."""
        await self.open()
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def done(answer: Answer) -> None:
            if not future.done():
                future.set_result(answer)

        self.ask(request, done)
        return await future

    def close(self) -> None:
        """Disconnect."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._buffer, self._needed = b"", 0

    def data_received(self, data: bytes) -> None:
        """Add bytes to the answer, and end it when it is whole."""
        buffer = self._buffer + data if self._buffer else data
        end = buffer.find(_HEAD_END)
        if end < 0:
            self._buffer = buffer
            return
        head, begin = buffer[:end], end + len(_HEAD_END)
        needed = self._needed or begin + _length(head)
        if len(buffer) < needed:
            self._buffer, self._needed = buffer, needed
            return
        if self._buffer:
            self._buffer, self._needed = b"", 0
        self._end(Answer(int(buffer[_STATUS]), head, buffer[begin:needed]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits that no answer will come."""
        del exc
        self._transport = None
        self._end(Answer(LOST, b"", b""))

    def _end(self, answer: Answer) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(answer)


async def open_wires(host: str, port: int, count: int) -> Sequence[Wire]:
    """Open so many connections."""
    wires = [Wire(host, port) for _ in range(count)]
    await asyncio.gather(*(wire.open() for wire in wires))
    return wires


def request(method: str, path: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b"") -> bytes:
    """Write a request. ``headers`` are sent as they are, after the host and, with a body, its kind and length."""
    lines = [f"{method} {path} HTTP/1.1", "host: bench"]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode() + _HEAD_END + body


def _length(head: bytes) -> int:
    at = head.find(_LENGTH)
    if at < 0:
        # As others than the product may write it.
        at = head.lower().find(_LENGTH)
        if at < 0:
            return 0
    start = at + len(_LENGTH)
    end = head.find(b"\r", start)
    return int(head[start : end if end >= 0 else None])
