"""The ratios of the desk itself, without HTTP: ``python benchmarks/desk.py [SECONDS] [ROUNDS]``.

Each is printed beside a limit of the same run, in rounds that alternate with it, as a median. It starts a PostgreSQL of
its own with fsync on, and asks at the end whether every promise holds. The scenarios take a running ``Place`` and may
be called from elsewhere.
"""

import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from uuid import UUID

import uvloop

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from harness.servers import Databases
from harness.stock import MadeSession, box_office, make_seated_session, make_session, rectangle, wants

from fullhouse.infra.embedded import postgres
from fullhouse.infra.migrate import migrate
from fullhouse.infra.postgres import Pool, open_pool
from fullhouse.operations.bench.limits import as_owner, guarded_statement
from fullhouse.operations.verify import verify
from fullhouse.reservations.rules import BestAvailable, ItemRequest

CAPACITY = 999_999
SLOWER_COMMITS = ("commit_delay = 2000", "commit_siblings = 0")
"""Every commit then waits two milliseconds before it writes, as on a network disk."""


@dataclass(frozen=True)
class Place:
    """A database with the schema, and how long and how often to measure."""

    url: str
    pool: Pool
    folder: Path
    seconds: float
    rounds: int


@dataclass(frozen=True)
class Ratio:
    """What was measured, over what, and what it should reach; ``at_most`` where less is better."""

    name: str
    value: float
    wanted: float
    told: str
    at_most: bool = False

    def __str__(self) -> str:
        good = self.value <= self.wanted if self.at_most else self.value >= self.wanted
        sign = "<=" if self.at_most else ">="
        return f"{self.name:58}{self.value:8.2f}  {sign} {self.wanted:<6}{'' if good else 'SHORT':6}{self.told}"


async def holds_over_pgbench(place: Place) -> list[Ratio]:
    """Durable holds at the function, over pgbench's guarded statement on the hot row with 64 clients."""
    single, of = list[float](), dict[int, list[float]]({64: [], 512: []})
    for _ in range(place.rounds):
        single.append(await guarded_statement(place.url, place.folder, place.seconds))
        for callers, rates in of.items():
            rates.append(await _sell(place, callers, lambda made: wants(made, 1)))
    return [
        Ratio(f"holds with {callers} callers, over pgbench", median(rates) / median(single), 20, _told(rates, single))
        for callers, rates in of.items()
    ]


async def batch_over_single_with_slower_commits(place: Place) -> list[Ratio]:
    """Compare the same with commits that take two milliseconds longer."""
    rates, single = list[float](), list[float]()
    await _configure(place, SLOWER_COMMITS)
    try:
        for _ in range(place.rounds):
            single.append(await guarded_statement(place.url, place.folder, place.seconds))
            rates.append(await _sell(place, 512, lambda made: wants(made, 1)))
    finally:
        await _configure(place, ("commit_delay = 0", "commit_siblings = 5"))
    return [Ratio("2 ms slower commits: batch over single", median(rates) / median(single), 30, _told(rates, single))]


async def pairs_over_one_call_a_request(place: Place) -> list[Ratio]:
    """Best pairs: in batches, over a desk that is asked for one at a time."""
    together, alone = list[float](), list[float]()
    for _ in range(place.rounds):
        for callers, rates in ((64, together), (1, alone)):
            made = await make_seated_session(place.pool, rectangle(200, 100))
            pair = (ItemRequest(made.types["adult"], best_available=BestAvailable(2)),)
            rates.append(await _rate(place.pool, made, pair, callers, min(place.seconds, 1.0)))
    return [Ratio("pairs: batch over one call", median(together) / median(alone), 5, _told(together, alone))]


async def one_client_over_plain_statement(place: Place) -> list[Ratio]:
    """Compare the p50 of a lone buyer at the desk with one statement that writes the same rows."""
    made = await make_session(place.pool, capacity=CAPACITY)
    office = box_office(place.pool)
    items = wants(made, 1)
    written: list[Sequence[object]] = []
    from fullhouse.reservations import hold_batch  # noqa: PLC0415 (its statement is timed alone below)

    one = hold_batch.hold_one_at_version

    async def noting(*arguments: object) -> object:
        started = time.perf_counter()
        answer = await one(*arguments)  # pyright: ignore[reportArgumentType] (passed on as it came)
        written.append((time.perf_counter() - started,))
        return answer

    whole: list[float] = []
    hold_batch.hold_one_at_version = noting  # pyright: ignore[reportAttributeAccessIssue]
    until = time.monotonic() + place.seconds
    number = 0
    while time.monotonic() < until:
        number += 1
        started = time.perf_counter()
        await office.place_reservation(made.session_id, items, f"alone {number}", b"fingerprint")
        whole.append(time.perf_counter() - started)
    hold_batch.hold_one_at_version = one
    await office.close()
    statement = [float(str(seconds[0])) for seconds in written]
    told = f"p50 {median(whole) * 1e3:.2f} ms over {median(statement) * 1e3:.2f} ms"
    return [Ratio("one client: p50 over a plain statement", median(whole) / median(statement), 1.2, told, at_most=True)]


async def two_processes_over_one(place: Place) -> list[Ratio]:
    """Two processes with desks for the same session, over one with as many callers."""
    of: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(place.rounds):
        for processes, rates in of.items():
            made = await make_session(place.pool, capacity=CAPACITY)
            rates.append(await _sell_in(place, made, processes))
    return [Ratio("two processes on one session over one", median(of[2]) / median(of[1]), 0.8, _told(of[2], of[1]))]


SCENARIOS: Sequence[Callable[[Place], Awaitable[list[Ratio]]]] = (
    holds_over_pgbench,
    one_client_over_plain_statement,
    pairs_over_one_call_a_request,
    two_processes_over_one,
    batch_over_single_with_slower_commits,
)


async def _sell(place: Place, callers: int, items_of: Callable[[MadeSession], tuple[ItemRequest, ...]]) -> float:
    made = await make_session(place.pool, capacity=CAPACITY)
    return await _rate(place.pool, made, items_of(made), callers, place.seconds)


async def _rate(
    pool: Pool, made: MadeSession, items: tuple[ItemRequest, ...], callers: int, seconds: float, name: str = ""
) -> float:
    """Return whole holds a second: reservation, stock, message and idempotency key, answered after the commit."""
    office, done = box_office(pool), 0
    until = time.monotonic() + seconds

    async def caller(number: int) -> None:
        nonlocal done
        turn = 0
        while time.monotonic() < until:
            await office.place_reservation(made.session_id, items, f"{name}{number}-{turn}", b"fingerprint")
            turn += 1
            done += 1

    started = time.monotonic()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    seconds = time.monotonic() - started
    await office.close()
    return done / seconds


async def _sell_in(place: Place, made: MadeSession, processes: int) -> float:
    """Sell in processes of their own, 128 callers in all, and return the sum of their rates."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as workers:
        given = [
            (place.url, made.organization_id, made.session_id, made.types["adult"], 128 // processes, place.seconds, n)
            for n in range(processes)
        ]
        rates: list[float] = await asyncio.to_thread(workers.starmap, _child, given)
    return sum(rates)


def _child(  # noqa: PLR0913, PLR0917 (what a process is handed)
    url: str, organization_id: UUID, session_id: UUID, type_id: UUID, callers: int, seconds: float, number: int
) -> float:
    async def run() -> float:
        pool = await open_pool(url, size_max=8)
        made = MadeSession(organization_id, session_id, session_id, session_id, {"adult": type_id})
        await _rate(pool, made, wants(made, 1), callers, 0.3, f"warm {number} ")
        rate = await _rate(pool, made, wants(made, 1), callers, seconds, f"process {number} ")
        await pool.close()
        return rate

    return uvloop.run(run())


async def _configure(place: Place, settings: Sequence[str]) -> None:
    async with as_owner(place.url) as conn:
        for setting in settings:
            await conn.execute(f"ALTER SYSTEM SET {setting}")
        await conn.execute("SELECT pg_reload_conf()")
    await asyncio.sleep(0.3)


def _told(rates: Sequence[float], limits: Sequence[float]) -> str:
    return f"{median(rates):,.0f}/s over {median(limits):,.0f}/s"


async def measure(url: str, folder: Path, seconds: float, rounds: int) -> None:
    """Measure, print, and check."""
    own = await Databases(url, "bench").create("desk", empty=True)
    await migrate(own)
    pool = await open_pool(own, size_max=16)
    place = Place(own, pool, folder, seconds, rounds)
    for scenario in SCENARIOS:
        for ratio in await scenario(place):
            print(ratio, flush=True)
    broken = [finding for finding in await verify(pool) if finding.check != "message_is_sent"]
    print("every promise holds" if not broken else f"BROKEN: {broken}")
    await pool.close()


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            uvloop.run(measure(server.url, Path(folder), seconds, rounds))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
