"""Commands that run one part of the product against given servers; ``fullhouse up`` runs them as its children."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from socket import socket
from typing import Any, cast

import click
import uvicorn
import uvloop

from fullhouse.cli.accept import Acceptor
from fullhouse.cli.listen import inherited, listen
from fullhouse.cli.parts import load_settings
from fullhouse.cli.processes import PARTS_OF_WORKER, RENDER, api_children, give_way, with_address
from fullhouse.cli.supervise import StopRequests, Supervisor
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.migrate import require_schema
from fullhouse.infra.open_files import allow_many_files
from fullhouse.infra.resources import open_resources
from fullhouse.infra.telemetry import configure_logging
from fullhouse.infra.tracing import traces_to
from fullhouse.settings import Settings

KEEP_ALIVE_SECONDS = 30
GARBAGE_COUNTS = (20_000, 20, 20)
"""How much is made before the collector looks. By default it looks several times into each turn of a busy loop, where
all that it finds is requests under way: a seventh of the processor time of a sale."""


@click.command()
@click.option("--host", help="The address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="The port.  [default: the first free one from 8000]")
@click.option("--workers", type=int, help="How many processes.  [default: 1]")
@click.option("--fd", "descriptor", type=int, hidden=True, help="A listening socket that the parent process made.")
def api(host: str | None, port: int | None, workers: int | None, descriptor: int | None) -> None:
    """Run the API against the database and Valkey that the settings name."""
    settings = load_settings(host=host, port=port, workers=workers)
    settings.places()
    with inherited(descriptor) if descriptor is not None else listen(settings.host, settings.port) as listener:
        settings = with_address(settings, listener)
        if descriptor is None and settings.workers > 1:
            _run_many(settings, listener)
        else:
            _run("api", settings, lambda stop: _serve(settings, listener, stop))


@click.command()
@click.option("--only", help="Some of its parts, with commas between: relay, consume, render, schedule, send.")
def worker(only: str | None) -> None:
    """Run the background worker: send messages, react to them, and do what is due.

    Any number of workers may run at once, on any number of machines. One that only renders gives way to all else that
    the machine does.
    """
    settings = load_settings()
    settings.places()
    parts = frozenset(part.strip() for part in only.split(",")) if only else frozenset(PARTS_OF_WORKER)
    if unknown := sorted(parts.difference(PARTS_OF_WORKER)):
        raise OperatorError(f"--only {','.join(unknown)}: a worker has the parts {', '.join(PARTS_OF_WORKER)}")
    if parts == frozenset({RENDER}):
        give_way()
    _run("worker", settings, lambda stop: _work(settings, parts, stop))


def _run(name: str, settings: Settings, serve: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run one process of the product until it is asked to stop by SIGTERM or Ctrl-C."""
    style = settings.log_format or ("text" if sys.stderr.isatty() else "json")
    configure_logging(settings.log_level, style)
    allow_many_files()

    async def until_asked() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await serve(stop)

    tracing = traces_to(settings.traces_url, f"fullhouse-{name}", settings.traces_ratio)
    with tracing, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_asked())


async def _serve(settings: Settings, listener: socket, stop: asyncio.Event) -> None:
    async with open_resources(settings.places(), application_name="fullhouse-api") as resources:
        await require_schema(resources.pool)
        # A worker loads no web server, and what cannot start says so before it loads one.
        from fullhouse.web.app import create_app  # noqa: PLC0415
        from fullhouse.web.protocol import protocol_with  # noqa: PLC0415
        from fullhouse.web.wire_limits import WireLimits  # noqa: PLC0415

        app = create_app(resources, settings)
        _spare_the_collector()
        wire_limits = WireLimits(
            connections_max=settings.connections_max,
            body_bytes_max=max(settings.body_bytes_max, settings.seat_map_bytes_max),
            is_https=resources.public_url.startswith("https://"),
            gate=app.traffic.gate,
            at_once=app.api.state.at_once,
            express=app.api.state.express,
        )
        server = _Server(
            uvicorn.Config(
                app,
                http=protocol_with(wire_limits),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # the app reads them: of the trusted proxies, and from the right
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=settings.shutdown_grace_seconds,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        asking = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, asking}, return_when=asyncio.FIRST_COMPLETED)
        asking.cancel()
        app.traffic.draining = True
        await asyncio.wait({serving}, timeout=settings.drain_seconds)
        await app.api.state.streams.close()
        server.should_exit = True
        await serving


def _spare_the_collector() -> None:
    """Let it pass over what was loaded by now, which stays, and look less often at the rest."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_COUNTS)


async def _work(settings: Settings, parts: frozenset[str], stop: asyncio.Event) -> None:
    async with open_resources(settings.places(), application_name="fullhouse-worker") as resources:
        await require_schema(resources.pool)
        from fullhouse.workers.run import run_worker  # noqa: PLC0415  # the API loads no worker
        from fullhouse.workers.work import work_of  # noqa: PLC0415  # the same

        grace_seconds = settings.shutdown_grace_seconds
        work = work_of(resources, settings)
        _spare_the_collector()
        await run_worker(resources, work, stop, parts=parts, grace_seconds=grace_seconds)


def _run_many(settings: Settings, listener: socket) -> None:
    stop_requests = StopRequests()
    stop_requests.watch()
    supervisor = Supervisor(settings.drain_seconds + settings.shutdown_grace_seconds, stop_requests)
    with ExitStack() as stack:
        stack.callback(supervisor.stop_children)
        try:
            for child in api_children(settings, listener):
                supervisor.add(child)
            supervisor.run()
        except KeyboardInterrupt:
            return


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it: the original raises them again when it has ended.

    It takes many connections in a turn of the event loop.
    """

    def capture_signals(self) -> ExitStack:  # pyright: ignore[reportIncompatibleMethodOverride]
        return ExitStack()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start as the original does, but take connections in our own way."""
        await super().startup(sockets=[])

        def make_protocol() -> asyncio.Protocol:
            kind = cast("Callable[..., asyncio.Protocol]", self.config.http_protocol_class)
            return kind(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

        self.servers = cast("list[asyncio.Server]", [Acceptor(each, make_protocol) for each in sockets or []])
