"""Streams while the desk sells: how late a change comes, what the desk keeps of its throughput, and CPU for each send.

``python benchmarks/stream.py [SECONDS]`` starts its own PostgreSQL (fsync on) and Valkey. The API and the sellers are
this process; the readers are one of their own. Every figure is from one run on one machine; compare the ratios.

``late``    from the commit of the oldest version that an event tells of to its arrival at each reader
``kept``    holds a second at the desk with readers, over the same without any, in alternating rounds
``CPU``     of this process for each event and reader, over a bare protocol that writes the same bytes
"""

import asyncio
import json
import resource
import socket
import statistics
import sys
import tempfile
import time
from array import array
from bisect import bisect_right
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
import uvloop

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from harness.servers import Databases
from harness.stock import MadeSession, make_session, wants
from harness.web import make_resources
from valkey.asyncio import Valkey

from fullhouse.infra.embedded import postgres, valkey
from fullhouse.infra.migrate import migrate
from fullhouse.infra.postgres import Pool, open_pool
from fullhouse.infra.telemetry import configure_logging
from fullhouse.realtime.changes import encode_event
from fullhouse.reservations.place_reservation import BoxOffice
from fullhouse.settings import Settings
from fullhouse.web.app import create_app
from fullhouse.web.protocol import WireLimits, protocol_with

CAPACITY = 999_999
CALLERS = 64
ROUNDS = 3
CPU_READERS = 1_000
READERS = Path(__file__).with_name("stream_readers.py")


@dataclass
class Place:
    """The running API, and its parts that a scenario drives by itself."""

    pool: Pool
    office: BoxOffice
    host: str
    port: int
    stamps: dict[str, tuple[list[int], list[float]]] = field(default_factory=dict)
    """For each session, versions and when the desk told of them."""

    def path(self, made: MadeSession) -> str:
        return f"/api/v1/sessions/{made.session_id}/stream"

    def note(self, session_id: object, version: int) -> None:
        versions, times = self.stamps.setdefault(str(session_id), ([], []))
        versions.append(version)
        times.append(time.monotonic())


@dataclass(frozen=True)
class Lateness:
    """What readers saw."""

    events: int
    events_a_second: float
    p50_ms: float
    p99_ms: float
    most_ms: float
    cut_off: int


@asynccontextmanager
async def running_place(folder: Path) -> AsyncGenerator[Place]:
    """Serve the API on loopback, as ``fullhouse api`` does."""
    database, memory = postgres.start(folder / "postgres"), valkey.start(folder / "valkey")
    try:
        url = await Databases(database.url, "bench").create("stream", empty=True)
        await migrate(url)
        pool, client = await open_pool(url, size_max=20), Valkey.from_url(memory.url)
        settings = Settings.model_validate({"rate_limits": False, "stream_connections_max": 20_000})
        app = create_app(make_resources(pool, client, folder), settings)
        limits = WireLimits(connections_max=20_000, body_bytes_max=100_000, is_https=False)
        config = uvicorn.Config(
            app, http=protocol_with(limits), ws="none", lifespan="on", log_config=None, access_log=False
        )
        server = uvicorn.Server(config)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            host, port = listener.getsockname()
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            place = Place(pool, app.api.state.box_office, host, port)
            announcer = app.api.state.streams.announcer
            told = announcer.note
            announcer.note = lambda session_id, version: (place.note(session_id, version), told(session_id, version))
            while not server.started:
                await asyncio.sleep(0.01)
            yield place
            await app.api.state.streams.close()
            server.should_exit = True
            await serving
        await client.aclose()
        await pool.close()
    finally:
        memory.stop()
        database.stop()


@asynccontextmanager
async def readers(host: str, port: int, path: str, count: int, file: Path) -> AsyncGenerator[list[int]]:
    """Connect readers; at the end of the block ``file`` has what they saw, and the list how many were cut off."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, str(READERS), host, str(port), path, str(count), str(file)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdin is not None
    cut_off: list[int] = []
    try:
        if await child.stdout.readline() != b"ready\n":
            raise SystemExit("the readers could not connect: is the limit of open files high enough?")
        yield cut_off
        child.stdin.close()
        cut_off.append(int(await child.stdout.readline()))
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


async def sell(place: Place, made: MadeSession, seconds: float) -> float:
    """Hold single places as fast as the desk can, for a number of callers; return holds a second."""
    until, done = time.monotonic() + seconds, 0

    async def caller() -> None:
        nonlocal done
        while time.monotonic() < until:
            await place.office.place_reservation(made.session_id, wants(made, 1))
            done += 1

    started = time.monotonic()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return done / (time.monotonic() - started)


async def change_slowly(place: Place, made: MadeSession, a_second: float, seconds: float) -> None:
    """Change a session at a steady pace."""
    started = time.monotonic()
    for number in range(round(a_second * seconds)):
        await asyncio.sleep(max(0.0, started + number / a_second - time.monotonic()))
        await place.office.place_reservation(made.session_id, wants(made, 1))


def lateness(place: Place, made: MadeSession, file: Path, since: float, cut_off: int) -> Lateness:
    """Work out how late each event came that was sent after an instant."""
    versions, times = place.stamps[str(made.session_id)]
    seen = array("d", file.read_bytes())
    last: dict[float, float] = {}
    late: list[float] = []
    for index in range(0, len(seen), 3):
        reader, version, at = seen[index : index + 3]
        before = last.get(reader)
        last[reader] = version
        if before is not None and version > before and at > since:
            oldest = bisect_right(versions, before)
            if oldest < len(versions) and versions[oldest] <= version:
                late.append(1000 * (at - times[oldest]))
    late.sort()
    return Lateness(
        events=len(late),
        events_a_second=len(late) / max(len(last), 1) / max(max(seen[2::3]) - since, 1e-9),
        p50_ms=late[len(late) // 2],
        p99_ms=late[int(len(late) * 0.99)],
        most_ms=late[-1],
        cut_off=cut_off,
    )


async def watch_sale(
    place: Place, folder: Path, count: int, seconds: float, a_second: float | None
) -> tuple[Lateness, float, float]:
    """Sell with readers and without in turn; return lateness, and holds a second with and without.

    ``a_second`` None: they watch what is sold. Else: they watch a session that changes so often beside the sale.
    """
    sold, watched = await make_session(place.pool, capacity=CAPACITY), await make_session(place.pool, capacity=CAPACITY)
    watched = sold if a_second is None else watched
    await sell(place, sold, 0.5)
    without: list[float] = []
    within: list[float] = []
    results: list[Lateness] = []
    for _ in range(ROUNDS):
        without.append(await sell(place, sold, seconds))
        file = folder / "seen"
        async with readers(place.host, place.port, place.path(watched), count, file) as cut_off:
            since = time.monotonic()
            changing = [] if a_second is None else [change_slowly(place, watched, a_second, seconds)]
            rate, *_ = await asyncio.gather(sell(place, sold, seconds), *changing)
            within.append(rate)
            await asyncio.sleep(0.5)
        results.append(lateness(place, watched, file, since, cut_off[0]))
    results.sort(key=lambda one: one.p99_ms)
    return results[len(results) // 2], statistics.median(within), statistics.median(without)


async def cpu_of(act: Callable[[], Awaitable[None]]) -> float:
    """Return how long this process computes while something happens, in microseconds."""
    before = time.process_time()
    await act()
    return 1e6 * (time.process_time() - before)


class Bare(asyncio.Protocol):
    """Answers a request with headers and keeps the connection."""

    open: list[asyncio.Transport]
    event: bytes

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.transport = transport

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 (any request)
        self.transport.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + self.event)
        self.open.append(self.transport)


async def bare_cpu(folder: Path, count: int, events: int) -> float:
    """Return CPU for each event and reader of a protocol that does nothing else."""
    kind = {"id": "x" * 36, "available": CAPACITY, "prices": [CAPACITY]}
    event = encode_event("change", 100_000, {"version": 100_000, "on_sale": True, "ticket_types": [kind]})
    Bare.open, Bare.event = [], b"%x\r\n%b\r\n" % (len(event), event)
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()

    async def send() -> None:
        for _ in range(events):
            for transport in Bare.open:
                transport.write(Bare.event)
            await asyncio.sleep(0.25)

    async with readers(host, port, "/", count, folder / "seen"):
        cpu = await cpu_of(send)
        idle = await cpu_of(lambda: asyncio.sleep(0.25 * events))
    server.close()
    return (cpu - idle) / events / count


async def stream_cpu(place: Place, folder: Path, count: int, events: int) -> float:
    """Return CPU for each event and reader of our stream, beyond what the sale of the same costs without readers."""
    made = await make_session(place.pool, capacity=CAPACITY)

    def sale() -> Awaitable[None]:
        return change_slowly(place, made, 3.5, events / 3.5)

    async with readers(place.host, place.port, place.path(made), 1, folder / "seen"):
        alone = await cpu_of(sale)
    async with readers(place.host, place.port, place.path(made), count, folder / "seen"):
        cpu = await cpu_of(sale)
    return (cpu - alone) / events / (count - 1)


async def measure(folder: Path, seconds: float) -> dict[str, object]:
    """Run all scenarios; return the figures."""
    figures: dict[str, object] = {}
    async with running_place(folder) as place:
        scenarios = (("2,000 readers of the sale", 2_000, None), ("5,000 at one a second", 5_000, 1.0))
        for name, count, a_second in scenarios:
            late, within, without = await watch_sale(place, folder, count, seconds, a_second)
            figures[name] = {**vars(late), "holds_a_second": within, "without": without, "kept": within / without}
        events = round(3.5 * seconds)
        ours = [await stream_cpu(place, folder, CPU_READERS, events) for _ in range(ROUNDS)]
        bare = [await bare_cpu(folder, CPU_READERS, events) for _ in range(ROUNDS)]
        us, bare_us = statistics.median(ours), statistics.median(bare)
        figures["CPU at 1,000 readers"] = {"us": us, "bare_us": bare_us, "ratio": us / bare_us}
    return figures


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 8.0
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    configure_logging("error")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for name, figures in uvloop.run(measure(Path(folder), seconds)).items():
            print(f"{name}: {json.dumps(figures, default=lambda value: round(value, 3))}")


if __name__ == "__main__":
    main()
