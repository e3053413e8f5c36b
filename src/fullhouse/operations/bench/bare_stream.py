"""A protocol that sends the same bytes to everyone again and again, and does nothing else: the limit for streams.

``python -m fullhouse.operations.bench.bare_stream HOST PORT EVENTS_PER_SECOND``. Every event has the size of a change
of general admission.
"""

import asyncio
import sys
from typing import Final, cast

import uvloop

from fullhouse.infra.open_files import allow_many_files
from fullhouse.realtime.changes import encode_event

_KIND: Final = {"id": "x" * 36, "available": 999_999, "prices": [999_999]}


class Bare(asyncio.Protocol):
    """One connection: the head and an event at the request, then events."""

    def __init__(self, everybody: list[asyncio.Transport], event: bytes) -> None:
        """Add itself to everybody once it is asked."""
        self._everybody = everybody
        self._event = event

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer any request."""
        del data
        self._transport.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + self._event)
        self._everybody.append(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Send no more."""
        del exc
        if self._transport in self._everybody:
            self._everybody.remove(self._transport)


async def serve(host: str, port: int, events_per_second: float) -> None:
    """Serve until it is ended."""
    event = encode_event("change", 100_000, {"version": 100_000, "on_sale": True, "ticket_types": [_KIND]})
    chunk = b"%x\r\n%b\r\n" % (len(event), event)
    everybody: list[asyncio.Transport] = []
    await asyncio.get_running_loop().create_server(lambda: Bare(everybody, chunk), host, port, backlog=4096)
    while True:
        await asyncio.sleep(1 / events_per_second)
        for transport in everybody:
            transport.write(chunk)


if __name__ == "__main__":
    allow_many_files()
    uvloop.run(serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
