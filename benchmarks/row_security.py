"""What row level security costs a hold: the desk with the policies on and off, by turns, on one server.

``python benchmarks/row_security.py [SECONDS] [ROUNDS]`` starts its own PostgreSQL, with fsync on. The desk works as the
roles that own nothing both times; only the policies are switched.
"""

import statistics
import sys
import tempfile
from pathlib import Path

import uvloop

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tests")]

from harness.pools import open_owners_pool
from harness.servers import Databases
from harness.stock import make_session, wants
from holds import CAPACITY, desk

from fullhouse.infra.embedded import postgres
from fullhouse.infra.migrate import migrate
from fullhouse.operations.bench.limits import as_owner

CALLERS = 64
SWITCH = """
    DO $$
    DECLARE
        guarded regclass;
    BEGIN
        FOR guarded IN SELECT DISTINCT polrelid::regclass FROM pg_policy LOOP
            EXECUTE format('ALTER TABLE %s {verb} ROW LEVEL SECURITY', guarded);
        END LOOP;
    END
    $$
"""


async def holds(url: str, seconds: float, *, guarded: bool) -> float:
    """Return holds a second with the policies on or off."""
    async with as_owner(url) as conn:
        await conn.execute(SWITCH.replace("{verb}", "ENABLE" if guarded else "DISABLE"))
    pool = await open_owners_pool(url)
    made = await make_session(pool, capacity=CAPACITY)
    rate = await desk(pool, made, wants(made, 1), CALLERS, seconds)
    await pool.close()
    return rate


async def measure(url: str, seconds: float, rounds: int) -> None:
    """Measure by turns, and print the median of the ratios."""
    own = await Databases(url, "bench").create("row_security", empty=True)
    await migrate(own)
    await holds(own, seconds, guarded=True)  # to warm up
    pairs = [
        (await holds(own, seconds, guarded=False), await holds(own, seconds, guarded=True)) for _ in range(rounds)
    ]
    without, guarded = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = sorted(on / off for off, on in pairs)
    print(f"policies off  {without:9,.0f} holds/s")
    print(f"policies on   {guarded:9,.0f} holds/s  {statistics.median(ratios):5.2f}  ({ratios[0]:.2f} to {ratios[-1]:.2f})")


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            uvloop.run(measure(server.url, seconds, rounds))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
