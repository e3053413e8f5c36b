"""Following a sale: how late a change comes to those who watch, what the desk keeps, and what each of them costs."""

import asyncio
import sys
from array import array
from asyncio.subprocess import PIPE
from bisect import bisect_right
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

from fullhouse.infra.embedded.process import free_port
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.operations.bench.bench import Bench, Log, broken_promises, by_status, figure
from fullhouse.operations.bench.figures import Ratio, Section, ratio
from fullhouse.operations.bench.holds import hold_body, same_hold
from fullhouse.operations.bench.house import API, HOST, processor_seconds
from fullhouse.operations.bench.load import OpenLoop
from fullhouse.operations.bench.stock import OnSale, put_on_sale

KEPT: Final = 2 / 3
LATE_MS_MAX: Final = 500.0
OVER_BARE: Final = 1.8
CPU_READERS: Final = 1_000
CPU_EVENTS_PER_SECOND: Final = 3.5
"""Fewer than are put together."""
_SETTLE_SECONDS: Final = 0.6
_runs = count()


@dataclass(frozen=True, slots=True)
class _Audience:
    """So many readers: of what is sold as fast as it can be, or of a session that changes so often beside the sale."""

    readers: int
    changes_per_second: float | None

    def __str__(self) -> str:
        pace = "four changes" if self.changes_per_second is None else "one change"
        return f"{self.readers:,} readers at {pace} a second"


AUDIENCES: Final = (_Audience(2_000, None), _Audience(5_000, 1.0))


class _Seen(NamedTuple):
    """What readers saw: milliseconds from the change of the stock to its arrival, and readers that were cut off."""

    late_ms: Sequence[float]
    cut_off: int


async def stream(bench: Bench) -> Section:
    """Sell with readers and without by turns; then compare processor time with that of a bare protocol."""
    section = Section("stream", "People who follow a session while the desk sells as fast as it can.")
    for audience in AUDIENCES:
        await _watch(bench, section, audience)
    await _cost(bench, section)
    section.broken += await broken_promises(bench.house)
    return section


async def _watch(bench: Bench, section: Section, audience: _Audience) -> None:
    sold = await put_on_sale(bench.house.database, bench.organizer)
    watched = sold if audience.changes_per_second is None else await put_on_sale(bench.house.database, bench.organizer)
    alone, beside, p50, p99 = list[float](), list[float](), list[float](), list[float]()
    cut_off, log = 0, Log()
    await _sell(bench, sold, log, bench.plan.warm_up_seconds)
    for _ in range(bench.plan.rounds):
        alone.append(await _sell(bench, sold, log, bench.plan.seconds))
        bench.advance(str(audience))
        file = bench.house.folder / "seen"
        async with _readers(bench.house.port, _path(watched), audience.readers, file) as lost:
            selling = _sell(bench, sold, log, bench.plan.seconds)
            if audience.changes_per_second is None:
                beside.append(await selling)
            else:
                rate, _ = await asyncio.gather(selling, _change(bench, watched, audience.changes_per_second))
                beside.append(rate)
            await asyncio.sleep(_SETTLE_SECONDS)
        seen = await _lateness(bench.house.database, watched, file, lost)
        p50.append(seen.late_ms[len(seen.late_ms) // 2])
        p99.append(seen.late_ms[int(len(seen.late_ms) * 0.99)])
        cut_off += seen.cut_off
    with_readers, without = figure(f"holds with {audience}", "/s", beside), figure("holds without readers", "/s", alone)
    section.figures += [without, with_readers, figure(f"{audience}: change to client, p50", " ms", p50)]
    section.ratios += [
        ratio(f"throughput that the desk keeps with {audience}", with_readers, without, KEPT),
        Ratio(f"{audience}: change to client, p99 in ms", tuple(p99), LATE_MS_MAX, is_most=True),
    ]
    section.broken += await log.lost(bench.house.database, bench.organizer.organization_id)
    if cut_off:
        section.notes.append(f"{audience}: {cut_off} were cut off")


async def _sell(bench: Bench, on_sale: OnSale, log: Log, seconds: float) -> float:
    make = same_hold(hold_body(on_sale, {"quantity": 1}), f"stream{next(_runs)}")
    return await bench.capacity(make, log.judge, seconds=seconds)


async def _change(bench: Bench, on_sale: OnSale, per_second: float, seconds: float | None = None) -> None:
    """Change a session at a steady pace."""
    make = same_hold(hold_body(on_sale, {"quantity": 1}), f"change{next(_runs)}")
    async with bench.connected(2) as wires:
        await OpenLoop(wires, make, by_status).run("changes", per_second, seconds or bench.plan.seconds)


def _path(on_sale: OnSale) -> str:
    return f"/api/v1/sessions/{on_sale.session_id}/stream"


@asynccontextmanager
async def _readers(port: int, path: str, readers: int, file: Path) -> AsyncGenerator[list[int]]:
    """Connect readers; after the block ``file`` has what they saw, and the list how many were cut off."""
    command = [sys.executable, "-m", "fullhouse.operations.bench.stream_readers", HOST, str(port), path, str(readers)]
    child = await asyncio.create_subprocess_exec(*command, str(file), stdin=PIPE, stdout=PIPE)
    assert child.stdout is not None  # noqa: S101 (pipes were asked for)
    assert child.stdin is not None  # noqa: S101 (the same)
    cut_off: list[int] = []
    try:
        if await child.stdout.readline() != b"ready\n":
            raise OperatorError(f"{readers:,} readers could not connect: raise the limit of open files (ulimit -n)")
        yield cut_off
        child.stdin.close()
        cut_off.append(int(await child.stdout.readline()))
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


async def _lateness(pool: Pool, on_sale: OnSale, file: Path, cut_off: Sequence[int]) -> _Seen:
    """Work out how late each event came after the oldest change that it tells of, as the database dated it."""
    versions, times = await _changes(pool, on_sale)
    seen: array[float] = array("d")
    seen.frombytes(file.read_bytes())  # noqa: ASYNC240 (nothing else happens)
    last: dict[float, float] = {}
    late: list[float] = []
    for index in range(0, len(seen), 3):
        reader, version, at = seen[index : index + 3]
        before = last.get(reader)
        last[reader] = version
        if before is None or version <= before:
            continue
        oldest = bisect_right(versions, before)
        if oldest < len(versions) and versions[oldest] <= version:
            late.append(1_000 * (at - times[oldest]))
    if not late:
        raise OperatorError("no reader saw a change")
    return _Seen(sorted(late), sum(cut_off))


async def _changes(pool: Pool, on_sale: OnSale) -> tuple[Sequence[int], Sequence[float]]:
    """Return the versions of a session's stock and when each was written, in seconds."""
    async with transaction(pool, on_sale.organization_id) as conn:
        rows = await conn.fetch(
            """
            SELECT version, extract(epoch FROM changed_at)::double precision AS at FROM stock_changes
            WHERE organization_id = $1 AND session_id = $2 ORDER BY version
            """,
            on_sale.organization_id,
            on_sale.session_id,
        )
    return [row["version"] for row in rows], [row["at"] for row in rows]


async def _cost(bench: Bench, section: Section) -> None:
    """Compare the processor time of the API for each event and reader with that of a protocol that only sends."""
    bare, ours = list[float](), list[float]()
    for _ in range(bench.plan.rounds):
        bench.advance("bare stream")
        bare.append(await _bare_cost(bench))
        bench.advance("processor time of the stream")
        ours.append(await _our_cost(bench))
    limit, cost = figure("bare protocol", " µs", bare), figure("stream", " µs", ours)
    section.figures += [limit, cost]
    name = f"stream: processor time per message and connection over the bare protocol, {CPU_READERS:,} connections"
    section.ratios.append(ratio(name, cost, limit, OVER_BARE, is_most=True))


async def _our_cost(bench: Bench) -> float:
    """Return microseconds for each event and reader, beyond what the same changes cost with one reader."""
    (api,) = bench.house.pids(API)
    on_sale = await put_on_sale(bench.house.database, bench.organizer)
    used: dict[int, float] = {}
    for readers in (1, CPU_READERS):
        async with _readers(bench.house.port, _path(on_sale), readers, bench.house.folder / "seen"):
            began = processor_seconds(api)
            await _change(bench, on_sale, CPU_EVENTS_PER_SECOND, _cost_seconds(bench))
            await asyncio.sleep(_SETTLE_SECONDS)
            used[readers] = processor_seconds(api) - began
    events = CPU_EVENTS_PER_SECOND * _cost_seconds(bench)
    return (used[CPU_READERS] - used[1]) / events / (CPU_READERS - 1) * 1e6


async def _bare_cost(bench: Bench) -> float:
    port = free_port()
    command = [sys.executable, "-m", "fullhouse.operations.bench.bare_stream", HOST, str(port)]
    child = await asyncio.create_subprocess_exec(*command, str(CPU_EVENTS_PER_SECOND))
    try:
        await _listening(port)
        async with _readers(port, "/", CPU_READERS, bench.house.folder / "seen"):
            began = processor_seconds(child.pid)
            await asyncio.sleep(_cost_seconds(bench))
            used = processor_seconds(child.pid) - began
    finally:
        child.terminate()
        await child.wait()
    return used / (CPU_EVENTS_PER_SECOND * _cost_seconds(bench)) / CPU_READERS * 1e6


def _cost_seconds(bench: Bench) -> float:
    return max(bench.plan.seconds, 4.0)


async def _listening(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise OperatorError("the bare stream did not start")
