"""The product's own HTTP on the wire, in this process and without parts behind it; and clients that send bytes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from fullhouse.infra import system
from fullhouse.web.edge import Edge, Traffic
from fullhouse.web.protocol import protocol_with
from fullhouse.web.request_limits import RequestLimits
from fullhouse.web.wire_limits import WireLimits
from harness.waiting import until

Answer = tuple[int, dict[str, str], bytes]
PATIENCE_SECONDS = 30


@asynccontextmanager
async def serving(app: ASGIApp, **limits: Any) -> AsyncGenerator[tuple[uvicorn.Server, int]]:
    """Serve on loopback, with the product's own layers but no parts behind them."""
    traffic = Traffic()
    chosen: dict[str, Any] = {"connections_max": 100, "body_bytes_max": 2_000, "is_https": True, **limits}
    traffic.gate = chosen.setdefault("gate", traffic.gate)
    api: Any = None
    edge = Edge(RequestLimits(app, 1_000, {}), api, system.make_id, traffic, https=True)
    async with on_the_wire(edge, WireLimits(**chosen)) as served:
        yield served


def limits_of(app: Edge) -> WireLimits:
    """Return the limits of the whole product, and what it serves at once and at a glance."""
    state = app.api.state
    return WireLimits(100, 100_000, is_https=False, gate=app.traffic.gate, at_once=state.at_once, express=state.express)


@asynccontextmanager
async def on_the_wire(app: ASGIApp, wire_limits: WireLimits) -> AsyncGenerator[tuple[uvicorn.Server, int]]:
    """Serve a whole app on loopback."""
    config = uvicorn.Config(
        app, port=0, http=protocol_with(wire_limits), ws="none", lifespan="off", log_config=None, server_header=False
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # pyright: ignore[reportAttributeAccessIssue]
    task = asyncio.create_task(server._serve())

    async def is_started() -> bool:
        return server.started

    await until(is_started)
    try:
        yield server, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        server.force_exit = True
        await task


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    async with asyncio.timeout(PATIENCE_SECONDS):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(head[0].split()[1]), headers, body


@asynccontextmanager
async def connected(port: int, sent: bytes = b"") -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        yield reader, writer
    finally:
        writer.close()
