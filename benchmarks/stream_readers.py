"""Many readers of one stream, in a process of their own.

``python benchmarks/stream_readers.py HOST PORT PATH COUNT FILE`` prints ``ready`` when every reader has its first event. At the end of its input it writes into FILE, as doubles, for
each event that came: the reader, the event's id, and when it came by the clock that all processes share.
"""

import asyncio
import re
import resource
import sys
import time
from array import array

import uvloop

AT_ONCE = 100
_ID = re.compile(rb"(?:^|\n)id:(\d+)\n")


class Reader(asyncio.Protocol):
    """One connection."""

    def __init__(self, number: int, request: bytes, seen: array, first: asyncio.Future[None]) -> None:
        self.number = number
        self.request = request
        self.seen = seen
        self.first = first

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        at = time.monotonic()
        for found in _ID.finditer(data):
            self.seen.extend((self.number, int(found[1]), at))
            if not self.first.done():
                self.first.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.first.done():
            self.first.set_exception(exc or ConnectionError("closed before the first event"))


async def read(host: str, port: int, path: str, count: int, file: str) -> None:
    loop = asyncio.get_running_loop()
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    seen = array("d")
    readers: list[Reader] = []
    for start in range(0, count, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, count))
        wave = [Reader(number, request, seen, loop.create_future()) for number in numbers]
        await asyncio.gather(*(loop.create_connection(lambda one=one: one, host, port) for one in wave))
        await asyncio.gather(*(one.first for one in wave))
        readers += wave
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    with open(file, "wb") as target:  # noqa: ASYNC230, PTH123 (nothing else happens any more)
        seen.tofile(target)
    print(sum(one.transport.is_closing() for one in readers), flush=True)


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(read(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5]))
