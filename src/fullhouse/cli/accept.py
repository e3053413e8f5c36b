"""Taking connections, many at a time.

The event loop's own server takes one connection in each of its turns. Where a turn is long, since there is much to do,
those who come anew would then wait for seconds before anybody reads what they ask for, health checks and the door
among them.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Final

AT_ONCE: Final = 64
"""So many are taken in a turn; then the others have theirs."""
REST_SECONDS: Final = 1.0
"""Where the process or the system is out of files or memory, those who come wait so long."""
_OUT_OF: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Acceptor:
    """Takes the connections of one listening socket; closed as the event loop's own servers are."""

    def __init__(self, listener: socket.socket, make_protocol: Callable[[], asyncio.Protocol]) -> None:
        """Begin at once. The socket stays open when this is closed."""
        listener.settimeout(0)
        self._listener = listener
        self._make_protocol = make_protocol
        self._loop = asyncio.get_running_loop()
        self._taking: set[asyncio.Task[object]] = set()
        self._resting: asyncio.TimerHandle | None = None
        self._listen()

    def close(self) -> None:
        """Take no more connections; those that were taken go on."""
        if self._resting is not None:
            self._resting.cancel()
        self._loop.remove_reader(self._listener)

    async def wait_closed(self) -> None:
        """Wait until the last that were taken have their protocols."""
        await asyncio.gather(*self._taking, return_exceptions=True)

    def _listen(self) -> None:
        self._resting = None
        self._loop.add_reader(self._listener, self._take_some)

    def _take_some(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                # Nobody is left, or another process was faster.
                return
            except OSError as error:
                if error.errno not in _OUT_OF:
                    raise
                self._loop.remove_reader(self._listener)
                self._resting = self._loop.call_later(REST_SECONDS, self._listen)
                return
            task = asyncio.ensure_future(self._serve(connection))
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)

    async def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(self._make_protocol, connection)
        except OSError:
            # Its client left before it was served.
            connection.close()
