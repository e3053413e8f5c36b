"""Connections are taken many at a time, however long a turn of the event loop is."""

import asyncio
import errno
import socket
from typing import cast

import pytest
import uvloop

from fullhouse.cli import accept
from fullhouse.cli.accept import AT_ONCE, Acceptor


class _Greeting(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(b"hello")
        transport.close()


def _listener() -> socket.socket:
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen(512)
    return made


def _clients(listener: socket.socket, count: int) -> list[socket.socket]:
    return [socket.create_connection(listener.getsockname(), timeout=30) for _ in range(count)]


def _greeted(clients: list[socket.socket]) -> list[bytes]:
    greetings: list[bytes] = []
    for client in clients:
        with client:
            greetings.append(client.recv(16))
    return greetings


def test_many_are_taken_in_a_turn() -> None:
    async def turns_for(count: int) -> int:
        with _listener() as listener:
            clients = _clients(listener, count)
            made: list[_Greeting] = []

            def make() -> _Greeting:
                made.append(_Greeting())
                return made[-1]

            acceptor = Acceptor(listener, make)
            turns = 0
            while len(made) < count:
                turns += 1
                await asyncio.sleep(0)
            acceptor.close()
            await acceptor.wait_closed()
            assert await asyncio.to_thread(_greeted, clients) == [b"hello"] * count
            return turns

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        # The event loop's own server takes a turn for each.
        assert runner.run(turns_for(2 * AT_ONCE)) < AT_ONCE // 2


def test_who_comes_while_files_are_short_is_taken_later(monkeypatch: pytest.MonkeyPatch) -> None:
    class Short:
        """A listening socket of a process that is out of files once."""

        def __init__(self, listener: socket.socket) -> None:
            self._listener = listener
            self.refusals = [OSError(errno.EMFILE, "too many open files")]

        def settimeout(self, seconds: float) -> None:
            self._listener.settimeout(seconds)

        def fileno(self) -> int:
            return self._listener.fileno()

        def accept(self) -> tuple[socket.socket, object]:
            if self.refusals:
                raise self.refusals.pop()
            return self._listener.accept()

    async def serve() -> None:
        with _listener() as listener:
            clients = _clients(listener, 1)
            acceptor = Acceptor(Short(listener), _Greeting)  # pyright: ignore[reportArgumentType] (what it needs of one)
            assert await asyncio.to_thread(_greeted, clients) == [b"hello"]
            acceptor.close()
            late = _clients(listener, 1)
            await asyncio.sleep(0)
            late[0].setblocking(False)
            with pytest.raises(BlockingIOError):
                late[0].recv(1)
            late[0].close()

    monkeypatch.setattr(accept, "REST_SECONDS", 0.01)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
