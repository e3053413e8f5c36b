"""Durable holds a second at the desk, beside the plain way: one guarded statement for each buyer on the hot row.

``python benchmarks/holds.py [SECONDS]`` starts its own PostgreSQL, with fsync on, and prints ratios against the limit
that it measured in the same run. Afterwards it checks that nothing was oversold or lost.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import uvloop

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from harness.pools import open_owners_pool
from harness.servers import Databases
from harness.stock import MadeSession, box_office, make_seated_session, make_session, rectangle, wants

from fullhouse.infra.embedded import postgres
from fullhouse.infra.migrate import migrate
from fullhouse.infra.postgres import Pool
from fullhouse.operations.verify import verify
from fullhouse.reservations.rules import BestAvailable, ItemRequest

CALLERS = (1, 64, 512)
CAPACITY = 999_999
PLAIN = """
    UPDATE quotas SET held = held + 1
    WHERE organization_id = $1 AND session_id = $2 AND quota_id = $3 AND held + sold + blocked < capacity
"""


async def count(callers: int, seconds: float, act) -> float:  # noqa: ANN001 (a coroutine function)
    """Call as many at a time as there are callers, and return how many were done a second."""
    done = 0
    until = time.monotonic() + seconds

    async def caller(number: int) -> None:
        nonlocal done
        turn = 0
        while time.monotonic() < until:
            await act(f"{number}-{turn}")
            turn += 1
            done += 1

    started = time.monotonic()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    return done / (time.monotonic() - started)


async def plain(pool: Pool, callers: int, seconds: float) -> float:
    """One guarded statement a buyer, each in its own commit."""
    made = await make_session(pool, capacity=CAPACITY)

    async def act(_key: str) -> None:
        await pool.execute(PLAIN, made.organization_id, made.session_id, made.category_quota)

    rate = await count(callers, seconds, act)
    # These holds have no reservations: they were only the limit to compare with.
    await pool.execute("UPDATE quotas SET held = 0 WHERE organization_id = $1", made.organization_id)
    return rate


async def desk(pool: Pool, made: MadeSession, items: tuple[ItemRequest, ...], callers: int, seconds: float) -> float:
    """Whole holds through the desk: reservation, stock, message and idempotency key, answered after the commit."""
    office = box_office(pool)

    async def act(key: str) -> None:
        await office.place_reservation(made.session_id, items, key, b"fingerprint")

    rate = await count(callers, seconds, act)
    await office.close()
    return rate


async def measure(url: str, seconds: float) -> None:
    """Measure, print, and check."""
    databases = Databases(url, "bench")
    own = await databases.create("holds", empty=True)
    await migrate(own)
    pool = await open_owners_pool(own)
    limit = await plain(pool, 64, seconds)
    print(f"plain guarded statement, 64 clients   {limit:9,.0f}/s   1.00")
    for callers in CALLERS:
        made = await make_session(pool, capacity=CAPACITY)
        rate = await desk(pool, made, wants(made, 1), callers, seconds)
        print(f"desk, general admission, {callers:3} callers  {rate:9,.0f}/s  {rate / limit:5.2f}")
    made = await make_seated_session(pool, rectangle(250, 240))
    pair = (ItemRequest(made.types["adult"], best_available=BestAvailable(2)),)
    rate = await desk(pool, made, pair, 64, min(seconds, 1.0))
    print(f"desk, best pairs of 60,000, 64 callers {rate:8,.0f}/s  {rate / limit:5.2f}")
    broken = [finding for finding in await verify(pool) if finding.check != "message_is_sent"]
    print("every promise holds" if not broken else f"BROKEN: {broken}")
    await pool.close()


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            uvloop.run(measure(server.url, seconds))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
