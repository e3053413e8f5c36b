"""A client that costs little beside the server that it measures: HTTP/1.1 over kept connections, bytes in, bytes out.

It reads what the product writes (a ``content-length`` or no body) and nothing else. Redirects, cookies and chunks are
for clients of people.
"""

import asyncio
import select
import socket
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_STATUS: Final = slice(9, 12)
_READ_BYTES: Final = 16_384
_EVENTS_MAX: Final = 512
"""Heard of in one turn of the loop: what is due to be sent meanwhile waits no longer than these take."""
LOST: Final = 0
"""The status of a request whose connection ended before the answer."""


class Answer(NamedTuple):
    """An answer: status (``LOST`` where none came), head and body."""

    status: int
    head: bytes
    body: bytes


_NO_ANSWER: Final = Answer(LOST, b"", b"")

Done = Callable[[Answer], None]


class Wire:
    """One connection with one request at a time."""

    __slots__ = ("_buffer", "_crowd", "_done", "_needed", "_recv", "_send", "_socket", "_unsent", "host", "port")

    def __init__(self, host: str, port: int) -> None:
        """Name the server; ``open`` connects."""
        self.host = host
        self.port = port
        self._socket: socket.socket | None = None
        self._buffer = b""
        self._needed: int = 0
        self._unsent = b""
        self._done: Done | None = None

    async def open(self) -> None:
        """Connect, if it is not connected. Raises ``OSError``."""
        if self._socket is not None:
            return
        made = socket.socket()
        try:
            made.settimeout(0)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(made, (self.host, self.port))
        except BaseException:
            made.close()
            raise
        self._socket, self._recv, self._send = made, made.recv, made.send
        self._buffer, self._needed, self._unsent = b"", 0, b""
        self._crowd = _Crowd.here()
        self._crowd.add(made.fileno(), self)

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent."""
        return self._socket is not None

    def ask(self, request: bytes, done: Done) -> None:
        """Send a request; ``done`` is called once, with the answer."""
        self._done = done
        if self._socket is None:
            self._end(_NO_ANSWER)
            return
        try:
            sent = self._send(request)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._crowd.loop.call_soon(self._lose)
            return
        if sent < len(request):
            self._unsent = request[sent:]
            self._crowd.await_room(self._socket.fileno(), awaited=True)

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
        """Disconnect. Whoever waits for an answer is told soon that none will come."""
        if self._socket is not None:
            self._disconnect()
            self._crowd.loop.call_soon(self._lose)

    def go_on(self, events: int) -> None:
        """Read what came, and end the answer when it is whole; send what there was no room for."""
        if self._unsent and events & select.EPOLLOUT:
            self._send_rest()
        if not events & ~select.EPOLLOUT:
            return
        try:
            data = self._recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._take(data)
        else:
            self._lose()

    def _take(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        if not self._needed:
            end = buffer.find(_HEAD_END)
            if end < 0:
                self._buffer = buffer
                return
            self._needed = end + len(_HEAD_END) + _length(buffer[:end])
        if len(buffer) < self._needed:
            self._buffer = buffer
            return
        needed, self._buffer, self._needed = self._needed, b"", 0
        head = buffer.find(_HEAD_END)
        self._end(Answer(int(buffer[_STATUS]), buffer[:head], buffer[head + len(_HEAD_END) : needed]))

    def _send_rest(self) -> None:
        try:
            self._unsent = self._unsent[self._send(self._unsent) :]
        except OSError:
            # What ended the connection stands behind what can be read.
            return
        if not self._unsent and self._socket is not None:
            self._crowd.await_room(self._socket.fileno(), awaited=False)

    def _lose(self) -> None:
        """Tell whoever waits that no answer will come."""
        self._disconnect()
        self._end(_NO_ANSWER)

    def _disconnect(self) -> None:
        lost, self._socket = self._socket, None
        if lost is not None:
            self._crowd.remove(lost.fileno())
            lost.close()

    def _end(self, answer: Answer) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(answer)


class _Crowd:
    """All connections of an event loop, which hears of them together: that costs half of a transport for each."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._wires: dict[int, Wire] = {}
        self._epoll = select.epoll()
        loop.add_reader(self._epoll.fileno(), self._look)

    @classmethod
    def here(cls) -> "_Crowd":
        loop = asyncio.get_running_loop()
        found = _crowds.get(loop)
        if found is None:
            found = _crowds[loop] = cls(loop)
        return found

    def add(self, descriptor: int, wire: Wire) -> None:
        self._wires[descriptor] = wire
        self._epoll.register(descriptor, select.EPOLLIN)

    def await_room(self, descriptor: int, *, awaited: bool) -> None:
        self._epoll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if awaited else 0))

    def remove(self, descriptor: int) -> None:
        del self._wires[descriptor]
        self._epoll.unregister(descriptor)
        if not self._wires:
            del _crowds[self.loop]
            if not self.loop.is_closed():
                self.loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _look(self) -> None:
        wires = self._wires
        for descriptor, events in self._epoll.poll(0, _EVENTS_MAX):
            wire = wires.get(descriptor)
            if wire is not None:
                wire.go_on(events)


_crowds: dict[asyncio.AbstractEventLoop, _Crowd] = {}


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
