"""The desk at the function, without HTTP: on a database of its own, beside which nothing else runs."""

import asyncio
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final, LiteralString

from fullhouse.infra.embedded import postgres
from fullhouse.infra.migrate import migrate
from fullhouse.infra.postgres import Pool, open_pool
from fullhouse.operations.bench.alone import Alone, hold_alone
from fullhouse.operations.bench.bench import Bench, figure
from fullhouse.operations.bench.desk_process import open_office, sell
from fullhouse.operations.bench.figures import Figure, Ratio, Section, ratio
from fullhouse.operations.bench.limits import as_owner, guarded_statement
from fullhouse.operations.bench.scenarios.settling import settle_over_single
from fullhouse.operations.bench.stock import OnSale, Organizer, make_organizer, put_on_sale
from fullhouse.operations.verify import verify
from fullhouse.reservations.rules import BestAvailable, ItemRequest

OVER_PGBENCH: Final = 20.0
SLOWER_COMMITS: Final[Sequence[LiteralString]] = ("commit_delay = 2000", "commit_siblings = 0")
"""Every commit then waits two milliseconds before it writes, as on a network disk."""
OVER_PGBENCH_SLOWER: Final = 30.0
PAIRS_OVER_SINGLE: Final = 5.0
ALONE_OVER_STATEMENT: Final = 1.2
TWO_OVER_ONE: Final = 0.8
CALLERS: Final = 64
CALLERS_MANY: Final = 512
CALLERS_OF_PROCESSES: Final = 128
ROOM: Final = 20_000
PAIRS_SECONDS_MAX: Final = 0.5
"""A quick machine sells all pairs of the room in a second, and then refuses."""
_WAITS: Final = frozenset({"message_is_sent", "audit_entry_is_linked"})
"""Checks that only say that no worker runs here."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A database with the schema, and what is measured on it."""

    bench: Bench
    url: str
    folder: Path
    pool: Pool
    organizer: Organizer

    async def put_on_sale(self, seats: int = 0) -> OnSale:
        return await put_on_sale(self.pool, self.organizer, seats=seats)

    async def rate(self, on_sale: OnSale, item: ItemRequest, callers: int, seconds: float | None = None) -> float:
        """Return whole holds a second: reservation, stock, message and key, answered after the commit."""
        office = open_office(self.pool)
        rate = await sell(office, on_sale.session_id, (item,), callers, seconds or self.bench.plan.seconds)
        await office.close()
        return rate

    async def guarded(self, *, with_row: bool = False) -> float:
        self.bench.advance("pgbench")
        return await guarded_statement(self.url, self.folder, self.bench.plan.seconds, with_row=with_row)


async def desk(bench: Bench) -> Section:
    """Compare with pgbench, one by one with batches, alone, on two processes, and with slow commits."""
    section = Section("desk", "The desk called as a function, on a database of its own; each hold is durable.")
    async with _running_place(bench) as place:
        await _over_pgbench(place, section)
        await _alone_over_statement(place, section)
        await _pairs_over_single(place, section)
        await _two_processes_over_one(place, section)
        await _with_slower_commits(place, section)
        await settle_over_single(bench, place.pool, place.organizer, section)
        section.broken += [
            f"{one.check}: {one.row_count} rows" for one in await verify(place.pool) if one.check not in _WAITS
        ]
    return section


@asynccontextmanager
async def _running_place(bench: Bench) -> AsyncGenerator[_Place]:
    with tempfile.TemporaryDirectory(dir=bench.plan.folder.absolute(), prefix="desk-") as name:
        folder = Path(name)
        server = await asyncio.to_thread(postgres.start, folder / "postgres")
        try:
            await migrate(server.url)
            pool = await open_pool(server.url, size_max=16, application_name="fullhouse-bench")
            yield _Place(bench, server.url, folder, pool, await make_organizer(pool))
            await pool.close()
        finally:
            await asyncio.to_thread(server.stop)


async def _over_pgbench(place: _Place, section: Section) -> None:
    single, whole, rates = list[float](), list[float](), dict[int, list[float]]({CALLERS: [], CALLERS_MANY: []})
    for _ in range(place.bench.plan.rounds):
        single.append(await place.guarded())
        whole.append(await place.guarded(with_row=True))
        for callers, found in rates.items():
            place.bench.advance(f"{callers} callers")
            found.append(await _holds(place, callers))
    limit = figure("pgbench, one guarded statement, 64 clients", "/s", single)
    holds = figure("pgbench, one guarded statement that writes the reservation as well, 64 clients", "/s", whole)
    section.figures += [limit, holds]
    for callers, found in rates.items():
        made = figure(f"holds at the function, {callers} callers", "/s", found)
        section.figures.append(made)
        name = f"durable holds at the function, {callers} callers, over pgbench's guarded statement"
        section.ratios.append(ratio(name, made, limit, OVER_PGBENCH))
        section.ratios.append(ratio(f"{name} that writes the reservation as well", made, holds, OVER_PGBENCH))


async def _holds(place: _Place, callers: int) -> float:
    on_sale = await place.put_on_sale()
    return await place.rate(on_sale, ItemRequest(on_sale.ticket_type_id, quantity=1), callers)


async def _with_slower_commits(place: _Place, section: Section) -> None:
    single, rates = list[float](), list[float]()
    await _configure(place, SLOWER_COMMITS)
    try:
        for _ in range(place.bench.plan.rounds):
            single.append(await place.guarded())
            place.bench.advance("slower commits")
            rates.append(await _holds(place, CALLERS_MANY))
    finally:
        await _configure(place, ("commit_delay = 0", "commit_siblings = 5"))
    _compare(
        section,
        figure(f"holds with 2 ms slower commits, {CALLERS_MANY} callers", "/s", rates),
        figure("pgbench with 2 ms slower commits", "/s", single),
        "with 2 ms slower commits: batch over single",
        OVER_PGBENCH_SLOWER,
    )


async def _pairs_over_single(place: _Place, section: Section) -> None:
    together, alone = list[float](), list[float]()
    for _ in range(place.bench.plan.rounds):
        for callers, rates in ((CALLERS, together), (1, alone)):
            place.bench.advance(f"best pairs, {callers} callers")
            on_sale = await place.put_on_sale(ROOM)
            pair = ItemRequest(on_sale.ticket_type_id, best_available=BestAvailable(2))
            rates.append(await place.rate(on_sale, pair, callers, min(place.bench.plan.seconds, PAIRS_SECONDS_MAX)))
    _compare(
        section,
        figure("best pairs in batches", "/s", together),
        figure("best pairs, one call at a time", "/s", alone),
        "seats in pairs: batch over one call per request",
        PAIRS_OVER_SINGLE,
    )


async def _alone_over_statement(place: _Place, section: Section) -> None:
    """Compare a lone buyer's whole hold with the plain statement that writes as much, by turns on one connection."""
    alone = await open_pool(place.url, size_max=1, application_name="fullhouse-bench")
    rounds: list[Alone] = []
    for _ in range(place.bench.plan.rounds):
        place.bench.advance("one client")
        on_sale = [await place.put_on_sale() for _ in range(2)]
        rounds.append(await hold_alone(alone, on_sale[0], on_sale[1], place.bench.plan.seconds))
    await alone.close()
    section.figures += [
        Figure("one client: p50 of a hold", " ms", tuple(median(one.holds) * 1e3 for one in rounds)),
        Figure("one client: p50 of its plain statement", " ms", tuple(median(one.statements) * 1e3 for one in rounds)),
    ]
    name, ratios = "one client: p50 at the desk over its plain statement", tuple(one.ratio for one in rounds)
    section.ratios.append(Ratio(name, ratios, ALONE_OVER_STATEMENT, is_most=True))


async def _two_processes_over_one(place: _Place, section: Section) -> None:
    of: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(place.bench.plan.rounds):
        for processes, rates in of.items():
            place.bench.advance(f"{processes} processes")
            rates.append(await _sell_in(place, await place.put_on_sale(), processes))
    _compare(
        section,
        figure("two processes on one session", "/s", of[2]),
        figure("one process, as many callers", "/s", of[1]),
        "two processes on one session over one",
        TWO_OVER_ONE,
    )


async def _sell_in(place: _Place, on_sale: OnSale, processes: int) -> float:
    """Sell in processes of their own, which begin together; return the sum of their rates."""
    ids = (str(on_sale.session_id), str(on_sale.ticket_type_id))
    callers = str(CALLERS_OF_PROCESSES // processes)
    command = [sys.executable, "-m", "fullhouse.operations.bench.desk_process", place.url, *ids, callers]
    children = [
        await asyncio.create_subprocess_exec(*command, str(place.bench.plan.seconds), stdin=PIPE, stdout=PIPE)
        for _ in range(processes)
    ]
    for child in children:
        await _line(child)
    for child in children:
        assert child.stdin is not None  # noqa: S101 (a pipe was asked for)
        child.stdin.write(b"go\n")
    rates = [float(await _line(child)) for child in children]
    for child in children:
        await child.wait()
    return sum(rates)


async def _line(child: Process) -> bytes:
    assert child.stdout is not None  # noqa: S101 (a pipe was asked for)
    return await child.stdout.readline()


async def _configure(place: _Place, settings: Sequence[LiteralString]) -> None:
    async with as_owner(place.url) as conn:
        for setting in settings:
            await conn.execute(f"ALTER SYSTEM SET {setting}")
        await conn.execute("SELECT pg_reload_conf()")
    await asyncio.sleep(0.3)


def _compare(section: Section, of: Figure, over: Figure, name: str, to_reach: float) -> None:
    section.figures += [of, over]
    section.ratios.append(ratio(name, of, over, to_reach))
