"""What single acts cost in processor time, of the API and of Postgres together.

The clock on the wall says what else the machine does; the processor's time of the product's own processes is the same
however fast the generator asks. Each act is done in several portions, and the middle one counts.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from statistics import median
from typing import Any, Final

from fullhouse.infra.errors import OperatorError
from fullhouse.operations.bench.bench import Bench, Log
from fullhouse.operations.bench.holds import hold_body, same_hold
from fullhouse.operations.bench.house import API, WORKER
from fullhouse.operations.bench.limits import as_owner
from fullhouse.operations.bench.stock import OnSale
from fullhouse.operations.bench.visits import WAIT_STATUSES, Placed, codes, hold, order, pay
from fullhouse.operations.bench.wire import Answer, Wire, request

ACTS: Final = ("hold", "settle", "availability", "admission", "scan")
PORTIONS: Final = 3
HOLDS: Final = 150
ORDERS: Final = 30
TICKETS_AN_ORDER: Final = 20
ORDERS_OF_TICKETS: Final = 12
LOOKS: Final = 400
CALLERS: Final = 32
"""Of 1,000 places, the smallest room, this takes 781."""
_PATIENCE_SECONDS: Final = 0.05
_PAUSE_SECONDS_MAX: Final = 60.0
_OPEN_TRANSACTIONS: Final = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'fullhouse-worker' AND xact_start IS NOT NULL
    """

Do = Callable[[Wire, bytes], Awaitable[None]]


async def measure_costs(bench: Bench, on_sale: OnSale, item: str, log: Log, run: str) -> dict[str, float]:
    """Return what each act costs, in microseconds. ``item`` is how a hold asks: ``quantity`` or ``best_available``.

    ``run`` keeps idempotency keys apart.
    """
    async with bench.connected(CALLERS) as wires:
        door = _Door(bench, on_sale, item, run)
        # The first of each kind loads what the process keeps in memory.
        await door.warm(wires)
        found = {
            "hold": await _portions(bench, wires, [door.holds(number) for number in range(PORTIONS)], _noting(log))
        }
        placed = [await door.orders(wires, number) for number in range(PORTIONS)]
        found["settle"] = await _paid(bench, wires, placed)
        look = await door.look(wires[0])
        found["availability"] = await _portions(bench, wires, [[look] * LOOKS] * PORTIONS, _expecting(200, 304))
        scans = await door.tickets(wires)
        third = len(scans) // PORTIONS
        portions = [scans[third * number : third * (number + 1)] for number in range(PORTIONS)]
        found["admission"] = await _portions(bench, wires, portions, _expecting(200))
        found["scan"] = await _portions(bench, wires, portions, _expecting(200))
    return found


class _Door:
    """What is asked for a session."""

    def __init__(self, bench: Bench, on_sale: OnSale, item: str, run: str) -> None:
        self._bench, self._on_sale, self._item, self._run = bench, on_sale, item, run
        self._look = f"/api/v1/sessions/{on_sale.session_id}/availability"

    def _wish(self, quantity: int) -> dict[str, Any]:
        return {self._item: quantity}

    def holds(self, portion: int) -> list[bytes]:
        make = same_hold(hold_body(self._on_sale, self._wish(1)), f"{self._run}-{portion}")
        return [make(number) for number in range(HOLDS)]

    async def warm(self, wires: Sequence[Wire]) -> None:
        first = await self._placed(wires[0], "warm", 1)
        await pay(wires[0], first)
        for wire in wires:
            await wire.fetch(request("GET", self._look))

    async def orders(self, wires: Sequence[Wire], portion: int) -> list[Placed]:
        placed: list[Placed] = []

        async def place(wire: Wire, number: bytes) -> None:
            placed.append(await self._placed(wire, f"{portion}-{number.decode()}", 1))

        await for_each(wires, (b"%d" % number for number in range(ORDERS)), place)
        return placed

    async def look(self, wire: Wire) -> bytes:
        """Ask as somebody does who has the answer already."""
        head = (await wire.fetch(request("GET", self._look))).head.decode(errors="replace")
        tags = [line.partition(":")[2].strip() for line in head.splitlines() if line.lower().startswith("etag:")]
        return request("GET", self._look, (("if-none-match", tags[0]),) if tags else ())

    async def tickets(self, wires: Sequence[Wire]) -> list[bytes]:
        """Sell tickets in large orders and wait until they are issued; return their scans."""
        placed = [await self._placed(wires[0], f"t-{n}", TICKETS_AN_ORDER) for n in range(ORDERS_OF_TICKETS)]
        for one in placed:
            await pay(wires[0], one)
        scans: list[bytes] = []
        headers = (("authorization", f"Bearer {self._bench.organizer.scanner_key}"),)
        for one in placed:
            found: Sequence[str] = ()
            async with asyncio.timeout(60):
                while len(found) < TICKETS_AN_ORDER:
                    found = await codes(wires[0], one)
                    await asyncio.sleep(0.05)
            for code in found:
                body = json.dumps({"code": code, "session_id": str(self._on_sale.session_id)}).encode()
                scans.append(request("POST", "/api/v1/tickets/validate", headers, body))
        return scans

    async def _placed(self, wire: Wire, key: str, quantity: int) -> Placed:
        held = await hold(wire, self._on_sale, f"{self._run}-{key}", self._wish(quantity))
        if held is None:
            raise OperatorError("a session of the benchmark was sold out too early")
        return await order(wire, held)


async def for_each(wires: Sequence[Wire], asks: Iterable[bytes], do: Do) -> None:
    """Do something with each ask, one at a time over each connection."""
    waiting = iter(asks)

    async def work(wire: Wire) -> None:
        for ask in waiting:
            await do(wire, ask)

    await asyncio.gather(*map(work, wires))


async def _portions(bench: Bench, wires: Sequence[Wire], portions: Sequence[Sequence[bytes]], do: Do) -> float:
    costs: list[float] = []
    async with worker_paused(bench):
        for asks in portions:
            before = spent(bench)
            await for_each(wires, asks, do)
            costs.append((spent(bench) - before) / len(asks) * 1e6)
    return median(costs)


async def _paid(bench: Bench, wires: Sequence[Wire], portions: Sequence[Sequence[Placed]]) -> float:
    by_id = {one.order_id.encode(): one for portion in portions for one in portion}

    async def do(wire: Wire, order_id: bytes) -> None:
        await pay(wire, by_id[order_id])

    asks = [[one.order_id.encode() for one in portion] for portion in portions]
    return await _portions(bench, wires, asks, do)


def spent(bench: Bench) -> float:
    """Return the seconds of processor time that the API and Postgres have used so far, but for vacuuming."""
    spent_by = bench.house.processor_seconds
    return spent_by(API) + spent_by("postgres") - spent_by("autovacuum worker")


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
    async with asyncio.timeout(_PAUSE_SECONDS_MAX), as_owner(bench.house.database_url) as conn:
        while True:
            bench.house.pause(WORKER, pause=True)
            # Its statements that are under way end.
            await asyncio.sleep(0.05)
            if not await conn.fetchval(_OPEN_TRANSACTIONS):
                return
            bench.house.pause(WORKER, pause=False)
            await asyncio.sleep(0.01)


def _noting(log: Log) -> Do:
    async def do(wire: Wire, ask: bytes) -> None:
        log.judge(0, await served(wire, ask, (201,)))

    return do


def _expecting(*statuses: int) -> Do:
    async def do(wire: Wire, ask: bytes) -> None:
        await served(wire, ask, statuses)

    return do


async def served(wire: Wire, ask: bytes, statuses: Collection[int]) -> Answer:
    """Ask, and ask again where one is told to come later. Raises ``OperatorError`` for any other answer."""
    while True:
        answer = await wire.fetch(ask)
        if answer.status in statuses:
            return answer
        if answer.status not in WAIT_STATUSES:
            raise OperatorError(f"a request of the benchmark ended with {answer.status}: {answer.body[:200]!r}")
        await asyncio.sleep(_PATIENCE_SECONDS)
