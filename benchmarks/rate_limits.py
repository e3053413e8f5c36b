"""What the limits cost a hold: CPU time of the API's process for each, with the limits on and off, by turns.

``python benchmarks/rate_limits.py [ROUNDS]`` starts its own PostgreSQL and Valkey. It calls the app without a server
between, so that all of the time is the product's own, and a limit's part in it looks larger than behind a server.

With a wide budget nothing is ever refused, whoever comes; with the default budgets, as in production, each address draws
small blocks from Valkey.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from harness.servers import Databases
from harness.stock import make_session
from harness.web import make_resources, running_app

from fullhouse.infra.embedded import postgres, valkey
from fullhouse.infra.migrate import migrate
from fullhouse.infra.postgres import open_pool
from fullhouse.infra.resources import open_valkey
from fullhouse.infra.telemetry import configure_logging

HOLDS = 2_000
CALLERS = 64
BUDGETS = {"rate_limits_by_address": "hold=1000000/60"}


async def hold(app: Any, body: bytes, address: str) -> int:
    """Place a reservation and return the status."""
    statuses: list[int] = []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/api/v1/reservations",
        "raw_path": b"/api/v1/reservations",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
        "client": (address, 4711),
        "server": ("127.0.0.1", 80),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    return statuses[0]


async def cost(app: Any, body: bytes, addresses: int) -> float:
    """Return the CPU microseconds of a hold, while many are placed at once."""
    numbers = iter(range(HOLDS))

    async def caller() -> None:
        for number in numbers:
            client = number % addresses
            status = await hold(app, body, f"203.0.{client // 250}.{client % 250}")
            assert status == 201, status

    started = time.process_time()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return (time.process_time() - started) / HOLDS * 1_000_000


async def measure(folder: Path, database_url: str, valkey_url: str, rounds: int) -> None:
    """Measure by turns, and print medians."""
    own = await Databases(database_url, "bench").create("limits", empty=True)
    await migrate(own)
    pool, client = await open_pool(own, size_max=20), open_valkey(valkey_url)
    made = await make_session(pool, capacity=900_000)
    item = {"ticket_type_id": str(made.types["adult"]), "quantity": 1}
    body = json.dumps({"session_id": str(made.session_id), "items": [item]}).encode()
    resources = make_resources(pool, client, folder)
    async with (
        running_app(resources) as off,
        running_app(resources, rate_limits=True, **BUDGETS) as wide,
        running_app(resources, rate_limits=True) as default,
    ):
        await cost(off, body, 1)
        cases = (
            ("one address, wide budget", wide, 1),
            ("1,000 addresses, wide budget", wide, 1_000),
            ("1,000 addresses, default budgets", default, 1_000),
            ("2,000 addresses, default budgets", default, HOLDS),
        )
        for name, on, addresses in cases:
            pairs = [(await cost(off, body, addresses), await cost(on, body, addresses)) for _ in range(rounds)]
            without, with_limits = (statistics.median(column) for column in zip(*pairs, strict=True))
            shares = sorted(after / before - 1 for before, after in pairs)
            print(
                f"{name:32} {without:6.0f} µs off, {with_limits:6.0f} µs on: {with_limits / without - 1:+.1%}", end=""
            )
            print(f"   (pairs: {shares[0]:+.1%} to {shares[-1]:+.1%})")
    await client.aclose()
    await pool.close()


def main() -> None:
    configure_logging("warning")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
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
