"""Measuring portions of acts by turns: what each ask costs in processor time, while the workers rest."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from fullhouse.infra.errors import OperatorError
from fullhouse.operations.bench.bench import Bench
from fullhouse.operations.bench.house import API, WORKER
from fullhouse.operations.bench.limits import as_owner
from fullhouse.operations.bench.visits import WAIT_STATUSES
from fullhouse.operations.bench.wire import Answer, Wire

ROUNDS: Final = 5
PATIENCE_SECONDS: Final = 0.05
PAUSE_SECONDS_MAX: Final = 60.0
_NOT_COUNTED: Final = ("autovacuum worker", "checkpointer", "background writer")
"""What Postgres does later for all that was written, whoever is measured then."""
_OPEN_TRANSACTIONS: Final = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'fullhouse-worker' AND xact_start IS NOT NULL
    """

Do = Callable[[Wire, bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Portions:
    """The asks of one place: those of the first round are done before the clock."""

    bench: Bench
    wires: Sequence[Wire]
    asks: Sequence[Sequence[bytes]]
    do: Do


async def by_turns(all_portions: Sequence[Portions]) -> list[Sequence[float]]:
    """Do a portion of each place in every round, each time in the other order; return what one ask cost in each."""
    async with workers_paused(one.bench for one in all_portions):
        return await alternate(all_portions)


async def alternate(all_portions: Sequence[Portions]) -> list[Sequence[float]]:
    """Do what ``by_turns`` does, while the workers do as they are."""
    costs: list[list[float]] = [[] for _ in all_portions]
    for turn in range(len(all_portions[0].asks)):
        pairs = list(zip(costs, all_portions, strict=True))
        for noted, one in pairs if turn % 2 else reversed(pairs):
            before = spent(one.bench)
            await for_each(one.wires, one.asks[turn], one.do)
            if turn:
                noted.append((spent(one.bench) - before) / len(one.asks[turn]) * 1e6)
    return [*costs]


async def for_each(wires: Sequence[Wire], asks: Iterable[bytes], do: Do) -> None:
    """Do something with each ask, one at a time over each connection."""
    waiting = iter(asks)

    async def work(wire: Wire) -> None:
        for ask in waiting:
            await do(wire, ask)

    await asyncio.gather(*map(work, wires))


def spent(bench: Bench) -> float:
    """Return the seconds of processor time that the API and Postgres have used so far, but for Postgres' later work."""
    spent_by = bench.house.processor_seconds
    return spent_by(API) + spent_by("postgres") - sum(map(spent_by, _NOT_COUNTED))


def each_once(benches: Iterable[Bench]) -> list[Bench]:
    """Name each house once."""
    return list({id(bench): bench for bench in benches}.values())


@asynccontextmanager
async def workers_paused(benches: Iterable[Bench]) -> AsyncGenerator[None]:
    """Let the workers of all these houses rest for a block."""
    async with AsyncExitStack() as stack:
        for bench in each_once(benches):
            await stack.enter_async_context(worker_paused(bench))
        yield


@asynccontextmanager
async def worker_paused(bench: Bench) -> AsyncGenerator[None]:
    """Let the worker rest for a block: what it does for earlier acts is no part of the next ones."""
    try:
        await _pause_worker(bench)
        yield
    finally:
        bench.house.pause(WORKER, pause=False)


async def _pause_worker(bench: Bench) -> None:
    """Pause it where it has no transaction open: what that has locked would stay locked as long as the worker rests."""
    async with asyncio.timeout(PAUSE_SECONDS_MAX), as_owner(bench.house.database_url) as conn:
        while True:
            bench.house.pause(WORKER, pause=True)
            # Its statements that are under way end.
            await asyncio.sleep(0.05)
            if not await conn.fetchval(_OPEN_TRANSACTIONS):
                return
            bench.house.pause(WORKER, pause=False)
            await asyncio.sleep(0.01)


async def served(wire: Wire, ask: bytes, statuses: Collection[int]) -> Answer:
    """Ask, and ask again where one is told to come later. Raises ``OperatorError`` for any other answer."""
    while True:
        answer = await wire.fetch(ask)
        if answer.status in statuses:
            return answer
        if answer.status not in WAIT_STATUSES:
            raise OperatorError(f"a request of the benchmark ended with {answer.status}: {answer.body[:200]!r}")
        await asyncio.sleep(PATIENCE_SECONDS)
