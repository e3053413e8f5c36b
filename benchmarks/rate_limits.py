"""What the limits cost a hold: CPU time of the API's process for each, and throughput over HTTP, by turns on and off.

``python benchmarks/rate_limits.py [ROUNDS]`` starts its own PostgreSQL and Valkey. First it calls the app without a
server between, so that all of the time is the product's own, and a limit's part in it looks larger than behind a
server. Both ways lead through one app, with the same stock in its memory; only the layer of the limits differs. With a
wide budget nothing is ever refused, whoever comes; with the default budgets, as in production, each address draws small
blocks from Valkey.

Then two whole Fullhouses, one without limits, are asked for holds over HTTP by turns, by a crowd from 100,000 addresses
behind a trusted proxy. Rounds are short and many, and what is told is the middle of all pairs, since the machine is
never as quiet as a limit is cheap.
"""

import asyncio
import copy
import gc
import itertools
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

from fullhouse.infra.client_address import Proxies
from fullhouse.infra.embedded import postgres, valkey
from fullhouse.infra.migrate import migrate
from fullhouse.infra.postgres import open_pool
from fullhouse.infra.rate_limits import NoLimits
from fullhouse.infra.resources import open_valkey
from fullhouse.infra.telemetry import configure_logging
from fullhouse.operations.bench.bench import by_status
from fullhouse.operations.bench.holds import hold_body
from fullhouse.operations.bench.house import HOST, House, running_house
from fullhouse.operations.bench.load import MakeRequest, closed_loop
from fullhouse.operations.bench.stock import make_organizer, put_on_sale
from fullhouse.operations.bench.wire import open_wires, request
from fullhouse.web.edge import Edge
from fullhouse.web.rate_limits import RateLimits

HOLDS = 640
CROWD = 100_000
CONNECTIONS = 32
"""So few that the gate against overload has nothing to refuse, however busy the machine."""
SECONDS = 1.5

CALLERS = 64
NUMBERS = itertools.count()
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
    numbers = itertools.islice(NUMBERS, HOLDS)

    async def caller() -> None:
        for number in numbers:
            client = number % addresses
            status = await hold(app, body, f"10.{client >> 16}.{client >> 8 & 255}.{client & 255}")
            assert status == 201, status

    gc.collect()
    started = time.process_time()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return (time.process_time() - started) / HOLDS * 1_000_000


def without_limits(app: Edge) -> Edge:
    """Return a second way into the same app, on which nothing is limited."""
    way = copy.copy(app)
    limited: RateLimits = app._app  # noqa: SLF001 (the layer that is measured is taken out)
    way._app = RateLimits(limited._app, NoLimits(), Proxies(()))  # noqa: SLF001 (the same)
    return way


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
        running_app(resources, rate_limits=True, **BUDGETS) as wide,
        running_app(resources, rate_limits=True) as default,
    ):
        cases = (
            ("one address, wide budget", wide, 1),
            ("1,000 addresses, wide budget", wide, 1_000),
            ("1,000 addresses, default budgets", default, 1_000),
            ("every hold from another address", default, 1_000_000),
        )
        for name, on, addresses in cases:
            off = without_limits(on)
            for _ in range(4):
                await cost(off, body, addresses), await cost(on, body, addresses)
            pairs: list[tuple[float, float]] = []
            for turn in range(rounds):
                ways = (off, on) if turn % 2 else (on, off)
                first, second = await cost(ways[0], body, addresses), await cost(ways[1], body, addresses)
                pairs.append((first, second) if turn % 2 else (second, first))
            without = statistics.median(before for before, _ in pairs)
            added = statistics.quantiles((after - before for before, after in pairs), n=4)
            print(
                f"{name:32} {without:5.0f} µs without, {added[1]:+5.1f} µs with: {added[1] / without:+.1%}"
                f"   (the middle half: {added[0]:+.1f} to {added[2]:+.1f} µs)"
            )
    await client.aclose()
    await pool.close()


async def crowd_at(house: House) -> MakeRequest:
    """Put a session on sale, and return requests for its places, each from the next address of the crowd."""
    on_sale = await put_on_sale(house.database, await make_organizer(house.database))
    headers = (("idempotency-key", "KEY"), ("x-forwarded-for", "ADDRESS"))
    template = request("POST", "/api/v1/reservations", headers, hold_body(on_sale, {"quantity": 1}))
    head, _, rest = template.partition(b"KEY")
    middle, _, body = rest.partition(b"ADDRESS")
    numbers = itertools.count()

    def make(_number: int) -> bytes:
        number = next(numbers)
        client = number % CROWD
        address = b"10.%d.%d.%d" % (client >> 16, client >> 8 & 255, client & 255)
        return b"%b%d%b%b%b" % (head, number, middle, address, body)

    return make


async def over_http(folder: Path, rounds: int) -> None:
    """Measure holds a second with limits and without by turns, and print the middle of the ratios."""
    common = {"FULLHOUSE_TRUSTED_PROXIES": "127.0.0.0/8"}
    async with (
        running_house(folder / "off", settings={**common, "FULLHOUSE_RATE_LIMITS": "off"}) as off,
        running_house(folder / "on", settings=common) as on,
    ):
        requests = {id(house): await crowd_at(house) for house in (off, on)}
        wires = {id(house): await open_wires(HOST, house.port, CONNECTIONS) for house in (off, on)}

        async def rate(house: House) -> float:
            done, outcomes = await closed_loop(wires[id(house)], SECONDS, requests[id(house)], by_status)
            if set(outcomes) != {"accepted"}:
                raise SystemExit(f"holds ended otherwise: {dict(outcomes)}")
            return done

        for house in (off, on):
            await rate(house)
        rates: dict[int, list[float]] = {id(off): [], id(on): []}
        for turn in range(rounds):
            for house in (off, on) if turn % 2 else (on, off):
                rates[id(house)].append(await rate(house))
        ratios = statistics.quantiles((with_ / without for without, with_ in zip(*rates.values(), strict=True)), n=4)
        without, with_limits = (statistics.median(values) for values in rates.values())
        print(
            f"over HTTP, {CROWD:,} addresses      {without:5,.0f}/s without, {with_limits:5,.0f}/s with:"
            f" {ratios[1] - 1:+.1%}   (the middle half: {ratios[0] - 1:+.1%} to {ratios[2] - 1:+.1%})"
        )
        for opened in wires.values():
            for wire in opened:
                wire.close()


def main() -> None:
    configure_logging("warning")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        database, cache = postgres.start(folder / "postgres"), valkey.start(folder / "valkey")
        try:
            uvloop.run(measure(folder, database.url, cache.url, rounds))
        finally:
            cache.stop()
            database.stop()
        uvloop.run(over_http(folder, max(8, rounds // 3)))


if __name__ == "__main__":
    main()
