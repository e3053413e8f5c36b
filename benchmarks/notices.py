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
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import uvloop

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from harness.api_process import api_process, settings_of, worker_process
from harness.stock import SERVER_KEY
from harness.stripe_sale import StripeSale, stripe_sale
from harness.stripe_simulator.books import Thing
from harness.stripe_simulator.server import StripeSimulator, running_simulator

from fullhouse.infra.embedded import postgres, valkey
from fullhouse.infra.migrate import migrate
from fullhouse.infra.postgres import open_pool
from fullhouse.infra.telemetry import configure_logging

PAYMENTS = 20
REPEATED_OF = 5
WARM_UP = 100
GOAL_MS = 50.0


async def make_events(shop: StripeSale, count: int) -> list[Thing]:
    """Let buyers begin payments and pay, and return so many events about them, each with an id of its own."""
    begun = await asyncio.gather(*(shop.order_and_start(quantity=1) for _ in range(PAYMENTS)))
    for _, payment in begun:
        shop.pay(payment)
    known = shop.stripe.books.events
    return [{**known[number % len(known)], "id": f"evt_bench_{number}"} for number in range(count)]


async def send_at(
    client: httpx.AsyncClient, due: float, path: str, request: tuple[bytes, dict[str, str]]
) -> tuple[float, int]:
    """Send a notice when it is due. Returns the milliseconds from then to its answer, and the status."""
    await asyncio.sleep(max(0.0, due - time.perf_counter()))
    answer = await client.post(path, content=request[0], headers=request[1])
    return 1e3 * (time.perf_counter() - due), answer.status_code


async def send_all(address: str, path: str, stripe: StripeSimulator, events: list[Thing], rate: float) -> list[float]:
    """Send all events at their moments. Returns the milliseconds that each took."""
    requests = [stripe.signed(event) for event in events]
    limits = httpx.Limits(max_connections=500, max_keepalive_connections=500)
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as client:
        for request in requests[:WARM_UP]:
            await client.post(path, content=request[0], headers=request[1])
        began = time.perf_counter() + 0.2
        sending = [
            send_at(client, began + number / rate, path, request) for number, request in enumerate(requests[WARM_UP:])
        ]
        answers = await asyncio.gather(*sending)
    refused = sum(1 for _, status in answers if status != 200)
    if refused:
        sys.exit(f"{refused} notices were not taken")
    return sorted(took for took, _ in answers)


async def run(address: str, url: str, given: argparse.Namespace) -> None:
    pool = await open_pool(url, size_max=10)
    async with running_simulator() as stripe, stripe_sale(pool, stripe, capacity=PAYMENTS) as shop:
        events = await make_events(shop, int(given.rate * given.seconds) + WARM_UP)
        sent = [events[number - 1] if number % REPEATED_OF == 0 else event for number, event in enumerate(events)]
        path = f"/api/v1/payments/webhooks/stripe/{shop.organization_id}"
        took = await send_all(address, path, stripe, sent, given.rate)
        stored = await pool.fetchval("SELECT count(*) FROM payment_notices")
        if stored != len({event["id"] for event in sent}):
            sys.exit(f"{stored} notices are stored, of {len(sent)} that were sent")
        print("| notices | p50 | p90 | p99 | longest |\n|---|---|---|---|---|")
        p50, p90, p99 = (took[int(part * (len(took) - 1))] for part in (0.5, 0.9, 0.99))
        print(f"| {len(took)} at {given.rate:g}/s | {p50:.1f} ms | {p90:.1f} ms | {p99:.1f} ms | {took[-1]:.1f} ms |")
        print(json.dumps({"p99_ms": round(p99, 1), "goal_ms": GOAL_MS, "met": p99 < GOAL_MS}))
    await pool.close()


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
