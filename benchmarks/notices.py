"""How soon a provider's notices are answered: ``python benchmarks/notices.py [--rate 200] [--seconds 10] [--alone]``.

It starts a PostgreSQL and a Valkey of its own, the API and a worker (not with ``--alone``) as processes, and sends
signed notices of Stripe about 20 payments by HTTP on loopback, at their moments, whether or not those before were
answered: a late answer counts from when its notice was due. One in five is sent a second time. The goal is a p99 under
50 ms at 200 notices a second. Afterwards each must be stored once, and none lost.
"""

import argparse
import asyncio
import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import uvloop

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from harness.api_process import api_process, settings_of, worker_process
from harness.pools import open_owners_pool
from harness.stock import SERVER_KEY
from harness.stripe_sale import StripeSale, stripe_sale
from harness.stripe_simulator.books import Thing
from harness.stripe_simulator.server import StripeSimulator, running_simulator

from fullhouse.infra.embedded import postgres, valkey
from fullhouse.infra.migrate import migrate
from fullhouse.infra.telemetry import configure_logging
from fullhouse.operations.bench.bench import by_status
from fullhouse.operations.bench.figures import Load
from fullhouse.operations.bench.load import OpenLoop
from fullhouse.operations.bench.wire import open_wires, request

PAYMENTS = 20
REPEATED_OF = 5
WARM_UP = 100
CONNECTIONS = 32
GOAL_MS = 50.0


async def make_events(shop: StripeSale, count: int) -> list[Thing]:
    """Let buyers begin payments and pay, and return so many events about them, each with an id of its own."""
    begun = await asyncio.gather(*(shop.order_and_start(quantity=1) for _ in range(PAYMENTS)))
    for _, payment in begun:
        await shop.pay(payment)
    known = shop.stripe.books.events
    return [{**known[number % len(known)], "id": f"evt_bench_{number}"} for number in range(count)]


async def send_all(address: str, path: str, stripe: StripeSimulator, events: list[Thing], rate: float) -> Load:
    """Send all events at their moments. Returns the milliseconds that each took, by the status of its answer."""
    url = httpx.URL(address)
    wires = await open_wires(url.host, url.port or 80, CONNECTIONS)

    def signed(event: Thing) -> bytes:
        raw, headers = stripe.signed(event)
        kept = [(name, value) for name, value in headers.items() if name.lower() != "content-type"]
        return request("POST", path, kept, raw)

    requests = [signed(event) for event in events]
    for some in requests[:WARM_UP]:
        await wires[0].fetch(some)
    rest = requests[WARM_UP:]
    loop = OpenLoop(wires, lambda number: rest[number], by_status)
    load = await loop.run("notices", rate, len(rest) / rate)
    for wire in wires:
        wire.close()
    return load


async def run(address: str, url: str, given: argparse.Namespace) -> None:
    pool = await open_owners_pool(url, size_max=10)
    async with running_simulator() as stripe, stripe_sale(pool, stripe, capacity=PAYMENTS) as shop:
        events = await make_events(shop, int(given.rate * given.seconds) + WARM_UP)
        sent = [events[number - 1] if number % REPEATED_OF == 0 else event for number, event in enumerate(events)]
        path = f"/api/v1/payments/webhooks/stripe/{shop.organization_id}"
        load = await send_all(address, path, stripe, sent, given.rate)
        if set(load.counts) != {"accepted"}:
            sys.exit(f"not all notices were taken: {load.counts}")
        stored = await pool.fetchval("SELECT count(*) FROM payment_notices")
        if stored != len({event["id"] for event in sent}):
            sys.exit(f"{stored} notices are stored, of {len(sent)} that were sent")
        print(json.dumps({"rate": given.rate, "notices": len(sent) - WARM_UP, **told(load)}))
    await pool.close()


def told(load: Load) -> dict[str, float | bool]:
    p50, p95, p99, longest = (round(load.percentile("accepted", share), 1) for share in (50, 95, 99, 100))
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "longest_ms": longest, "p99_below_50_ms": p99 < GOAL_MS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--alone", action="store_true", help="Without a worker that applies them.")
    given = parser.parse_args()
    configure_logging(stream=Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 (until the end)
    with TemporaryDirectory(prefix="notices-") as name, ExitStack() as stack:
        folder = Path(name)
        database = postgres.start(folder / "postgres")
        stack.callback(database.stop)
        cache = valkey.start(folder / "valkey")
        stack.callback(cache.stop)
        asyncio.run(migrate(database.url))
        environment = settings_of(database.url, cache.url, folder / "data", rate_limits="off", log_level="warning")
        environment["FULLHOUSE_SECRET_KEY"] = SERVER_KEY.decode()
        if not given.alone:
            stack.enter_context(worker_process(folder, environment))
        _, address = stack.enter_context(api_process(folder, environment))
        uvloop.run(run(address, database.url, given))


if __name__ == "__main__":
    main()
