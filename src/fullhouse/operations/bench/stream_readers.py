"""Many readers of one stream, in a process of their own.

``python -m fullhouse.operations.bench.stream_readers HOST PORT PATH COUNT FILE`` prints ``ready`` when every reader has
its first event. At the end of its input it writes into FILE, as doubles, for each event that came: the reader, the
event's id, and when it came; and prints how many readers were cut off.
"""

import asyncio
import re
import sys
from array import array
from pathlib import Path
from typing import Final, cast

import uvloop

from fullhouse.infra.open_files import allow_many_files
from fullhouse.infra.system import now

AT_ONCE: Final = 100
_ID: Final = re.compile(rb"(?:^|\n)id:(\d+)\n")


class Reader(asyncio.Protocol):
    """One connection."""

    def __init__(self, number: int, request: bytes, seen: "array[float]", first: "asyncio.Future[None]") -> None:
        """Note into ``seen`` what comes, and do ``first`` at the first event."""
        self._number = number
        self._request = request
        self._seen = seen
        self.first = first
        self.transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        self.transport = transport
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note when it came."""
        at = now().timestamp()
        for found in _ID.finditer(data):
            self._seen.extend((self._number, int(found[1]), at))
            if not self.first.done():
                self.first.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits for the first event that none will come."""
        if not self.first.done():
            self.first.set_exception(exc or ConnectionError("closed before the first event"))


async def read(host: str, port: int, path: str, count: int, file: Path) -> None:
    """Connect, some at a time; read until the input ends, and write down what came."""
    loop = asyncio.get_running_loop()
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    seen: array[float] = array("d")
    readers: list[Reader] = []
    for start in range(0, count, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, count))
        wave = [Reader(number, request, seen, loop.create_future()) for number in numbers]
        await asyncio.gather(*(loop.create_connection(lambda one=one: one, host, port) for one in wave))
        await asyncio.gather(*(one.first for one in wave))
        readers += wave
    print("ready", flush=True)  # noqa: T201 (its parent reads it)
    await loop.run_in_executor(None, sys.stdin.read)
    cut_off = sum(one.transport is None or one.transport.is_closing() for one in readers)
    file.write_bytes(seen.tobytes())  # noqa: ASYNC240 (nothing else happens any more)
    print(cut_off, flush=True)  # noqa: T201 (the same)


if __name__ == "__main__":
    allow_many_files()
    uvloop.run(read(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), Path(sys.argv[5])))
