"""A TCP proxy on loopback that does to a connection what networks do: cut it in mid-message, or go silent."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

CHUNK_BYTES = 4_096


class Proxy:
    """Forwards to one server, until it is told otherwise."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.own_port = 0
        self.is_silent = False
        self.refuses = False
        self.cut_after_bytes: int | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Reset every connection, with what is under way in it."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection(self.host, self.port)
        self._writers |= {writer, there_writer}
        for task in (
            asyncio.create_task(self._forward(reader, there_writer, counted=True)),
            asyncio.create_task(self._forward(there_reader, writer, counted=False)),
        ):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if counted and self.cut_after_bytes is not None:
                    self.cut_after_bytes -= len(data)
                    if self.cut_after_bytes < 0:
                        self.cut_after_bytes = None
                        self.cut()
                        return
                if not self.is_silent:
                    writer.write(data)
                    await writer.drain()
        writer.transport.abort()

    async def close(self) -> None:
        self.cut()
        for task in self._tasks.copy():
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def proxy_to(host: str, port: int) -> AsyncGenerator[Proxy]:
    """Run a proxy; connect to ``own_port``."""
    proxy = Proxy(host, port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.own_port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
