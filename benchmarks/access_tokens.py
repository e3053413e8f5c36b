"""What it costs to tell who shows an access token, the first time and from then on: CPU time of the API's process.

``python benchmarks/access_tokens.py [ROUNDS]`` starts its own PostgreSQL and Valkey. The first time a signature is
verified; the sign-in itself is remembered in both cases, so that no query is measured. By turns, and the middle of all.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from harness.people import accounts_of, make_person
from harness.servers import Databases
from harness.web import make_resources, running_app

from fullhouse.identity.find_signed_in import SignedInUsers
from fullhouse.infra.embedded import postgres, valkey
from fullhouse.infra.migrate import migrate
from fullhouse.infra.postgres import open_pool
from fullhouse.infra.resources import open_valkey
from fullhouse.infra.telemetry import configure_logging

TOKENS = 500


async def cost(users: SignedInUsers, token: str, *, first: bool) -> float:
    """Return the CPU microseconds of telling who shows a token."""
    started = time.process_time()
    for _ in range(TOKENS):
        if first:
            users._verified.clear()  # noqa: SLF001 (what is measured is what this saves)
        if await users.find_signed_in(token) is None:
            raise SystemExit("the token opens nothing")
    return (time.process_time() - started) / TOKENS * 1_000_000


async def measure(folder: Path, database_url: str, valkey_url: str, rounds: int) -> None:
    """Measure by turns, and print medians."""
    own = await Databases(database_url, "bench").create("tokens", empty=True)
    await migrate(own)
    pool, client = await open_pool(own, size_max=4), open_valkey(valkey_url)
    async with running_app(make_resources(pool, client, folder)) as app:
        token = (await make_person(app, pool)).access_token
        users = accounts_of(app).signed_in
        await cost(users, token, first=True)
        pairs = [(await cost(users, token, first=True), await cost(users, token, first=False)) for _ in range(rounds)]
    for name, values in zip(("a signature is verified", "it is remembered"), zip(*pairs, strict=True), strict=True):
        low, middle, high = statistics.quantiles(values, n=4)
        print(f"{name:24} {middle:6.1f} µs   (the middle half: {low:.1f} to {high:.1f})")
    await client.aclose()
    await pool.close()


def main() -> None:
    configure_logging("warning")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        database, cache = postgres.start(folder / "postgres"), valkey.start(folder / "valkey")
        try:
            uvloop.run(measure(folder, database.url, cache.url, rounds))
        finally:
            cache.stop()
            database.stop()


if __name__ == "__main__":
    main()
