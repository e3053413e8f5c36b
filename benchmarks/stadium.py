"""Measure what single acts cost, compare the model with a small on-sale, and say what a stadium needs.

``python benchmarks/stadium.py`` takes about a minute and prints Markdown: the costs as they stand in docs/scaling.md,
a comparison, and the table of ``fullhouse.operations.bench.stadium``.
"""

import asyncio
import itertools
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import uvloop

from fullhouse.infra.postgres import transaction
from fullhouse.operations.bench.bench import Bench, Plan, by_status, prepare
from fullhouse.operations.bench.holds import hold_body, same_hold
from fullhouse.operations.bench.house import API, WORKER, running_house
from fullhouse.operations.bench.load import closed_loop
from fullhouse.operations.bench.portions import for_each, worker_paused
from fullhouse.operations.bench.stadium import STADIUM, Costs, as_markdown, needs_of, processor_seconds
from fullhouse.operations.bench.stock import OnSale, put_on_sale
from fullhouse.operations.bench.visits import hold, order, pay
from fullhouse.operations.bench.wire import Answer, Wire, request

SECONDS = 3.0
CALLERS = 64
SHARE_MIN = 0.95
"""Who is told to wait costs little, but more of them would no longer be the load that is measured."""
PURCHASES = 200
WATCHERS = 400
WATCHED_SECONDS = 5
SMALL_BUYERS = 12_000
SMALL_PLACES = 2_000
LOOKS, TRIES = 4, 3
MAILED_SECONDS_MAX = 120
Spent = tuple[float, float, float]
_runs = itertools.count()


def spent(bench: Bench) -> Spent:
    """Return the processor time of the API, of Postgres and of the worker so far."""
    house = bench.house
    words = (API, "postgres", WORKER)
    return house.processor_seconds(words[0]), house.processor_seconds(words[1]), house.processor_seconds(words[2])


async def cost_of(bench: Bench, act: Callable[[], Awaitable[int]]) -> Spent:
    """Return what one of the acts took of each, in microseconds."""
    before = spent(bench)
    count = await act()
    api, database, worker = (after - start for after, start in zip(spent(bench), before, strict=True))
    return api / count * 1e6, database / count * 1e6, worker / count * 1e6


async def asked(bench: Bench, make: Callable[[int], bytes], wanted: str) -> tuple[Spent, float, int]:
    """Ask the same for a while; return what one costs, how many there were a second, and how long an answer is."""
    length = 0

    def judge(number: int, answer: Answer) -> str:
        nonlocal length
        length = len(answer.head) + len(answer.body)
        return by_status(number, answer)

    rate = 0.0

    async def act() -> int:
        nonlocal rate
        async with bench.connected(CALLERS) as wires:
            rate, outcomes = await closed_loop(wires, SECONDS, make, judge)
        if outcomes[wanted] < SHARE_MIN * outcomes.total():
            raise SystemExit(f"too many other outcomes than {wanted}: {dict(outcomes)}")
        return outcomes[wanted]

    async with worker_paused(bench):
        each = await cost_of(bench, act)
    return each, rate, length


async def measure(bench: Bench) -> Costs:
    """Measure every act by itself."""
    on_sale = await put_on_sale(bench.house.database, bench.organizer)
    sold_out = await put_on_sale(bench.house.database, bench.organizer, capacity=1)
    body, gone = hold_body(on_sale, {"quantity": 2}), hold_body(sold_out, {"quantity": 2})
    page = request("GET", f"/events/{on_sale.event_id}")
    look = await looking(bench, on_sale)
    await asked(bench, same_hold(body, run()), "accepted")
    (hold_api, hold_database, _), holds_a_second, hold_bytes = await asked(bench, same_hold(body, run()), "accepted")
    (refusal, _, _), _, refusal_bytes = await asked(bench, same_hold(gone, run()), "refused")
    (page_api, page_database, _), _, page_bytes = await asked(bench, lambda _: page, "accepted")
    (look_api, _, _), _, look_bytes = await asked(bench, lambda _: look, "accepted")
    purchase, issue = await purchases(bench)
    message, kilobytes, message_bytes = await watching(bench)
    return Costs(
        page=round(page_api + page_database),
        page_bytes=page_bytes,
        look=round(look_api, 1),
        look_bytes=look_bytes,
        hold_api=round(hold_api, 1),
        hold_database=round(hold_database, 1),
        hold_bytes=hold_bytes,
        refusal=round(refusal, 1),
        refusal_bytes=refusal_bytes,
        purchase_api=round(purchase[0]),
        purchase_database=round(purchase[1]),
        issue_worker=round(issue[2]),
        issue_database=round(issue[1]),
        message=round(message, 1),
        message_bytes=message_bytes,
        watcher_kilobytes=round(kilobytes, 1),
        holds_a_second=round(holds_a_second),
    )


async def looking(bench: Bench, on_sale: OnSale) -> bytes:
    """Ask as somebody does who has the answer already."""
    path = f"/api/v1/sessions/{on_sale.session_id}/availability"
    async with bench.connected(1) as (wire,):
        head = (await wire.fetch(request("GET", path))).head.decode()
    [tag] = [line.partition(":")[2].strip() for line in head.splitlines() if line.lower().startswith("etag:")]
    return request("GET", path, (("if-none-match", tag),))


async def purchases(bench: Bench) -> tuple[Spent, Spent]:
    """Return what an order with its payment costs, and what the worker does after it, for two tickets."""
    on_sale = await put_on_sale(bench.house.database, bench.organizer)
    async with bench.connected(64) as wires:
        held = [await hold(wires[0], on_sale, f"{run()}-{number}", {"quantity": 2}) for number in range(PURCHASES)]
        by_number = dict(enumerate(held))

        async def buy(wire: Wire, number: bytes) -> None:
            one = by_number[int(number)]
            assert one is not None  # noqa: S101 (there is stock for millions)
            await pay(wire, await order(wire, one))

        async def all_of_them() -> int:
            await for_each(wires, (b"%d" % number for number in by_number), buy)
            return PURCHASES

        async def mailed() -> int:
            async with asyncio.timeout(MAILED_SECONDS_MAX):
                while await mails(bench, on_sale) < PURCHASES:  # noqa: ASYNC110 (a database says nothing by itself)
                    await asyncio.sleep(0.2)
            return PURCHASES

        async with worker_paused(bench):
            purchase = await cost_of(bench, all_of_them)
        return purchase, await cost_of(bench, mailed)


async def mails(bench: Bench, on_sale: OnSale) -> int:
    """Count the orders of a session whose tickets were mailed."""
    async with transaction(bench.house.database, on_sale.organization_id) as conn:
        found: int = await conn.fetchval(
            """
            SELECT count(*) FROM mail_deliveries JOIN orders USING (organization_id, order_id)
            WHERE organization_id = $1 AND session_id = $2
            """,
            on_sale.organization_id,
            on_sale.session_id,
        )
    return found


async def watching(bench: Bench) -> tuple[float, float, int]:
    """Return what a message to one watcher costs, what a watcher takes of memory, and how long a message is."""
    on_sale = await put_on_sale(bench.house.database, bench.organizer)
    make = same_hold(hold_body(on_sale, {"quantity": 2}), run())
    ask = request("GET", f"/api/v1/sessions/{on_sale.session_id}/stream")

    async def changes() -> int:
        async with bench.connected(1) as (wire,):
            for number in range(WATCHED_SECONDS * 10):
                await wire.fetch(make(number))
                await asyncio.sleep(0.1)
        return 1

    alone = await cost_of(bench, changes)
    make = same_hold(hold_body(on_sale, {"quantity": 2}), run())
    before = sum(bench.house.resident_bytes(API).values())
    readers = [await asyncio.open_connection("127.0.0.1", bench.house.port) for _ in range(WATCHERS)]
    sizes = [0] * WATCHERS
    events = [0] * WATCHERS

    async def read(at: int) -> None:
        reader, writer = readers[at]
        writer.write(ask)
        while data := await reader.read(65_536):
            sizes[at] += len(data)
            events[at] += data.count(b"event:change")

    tasks = [asyncio.create_task(read(at)) for at in range(WATCHERS)]
    await asyncio.sleep(1)
    begun = list(sizes)
    after = sum(bench.house.resident_bytes(API).values())
    together = await cost_of(bench, changes)
    for task in tasks:
        task.cancel()
    for _, writer in readers:
        writer.close()
    messages = sum(events)
    bytes_each = (sum(sizes) - sum(begun)) / messages
    return (together[0] - alone[0]) / messages, (after - before) / WATCHERS / 1_000, round(bytes_each)


async def small_on_sale(bench: Bench) -> tuple[Counter[str], float]:
    """Let a small crowd do all of it at once; return how often each was done, and the processor time that it took."""
    on_sale = await put_on_sale(bench.house.database, bench.organizer, capacity=SMALL_PLACES)
    page = request("GET", f"/events/{on_sale.event_id}")
    look = await looking(bench, on_sale)
    counts: Counter[str] = Counter()
    make = same_hold(hold_body(on_sale, {"quantity": 2}), run())
    numbers = iter(range(1 << 40))

    async def visit(wire: Wire, _: bytes) -> None:
        await wire.fetch(page)
        counts["page"] += 1
        for turn in range(max(LOOKS, TRIES)):
            if turn < LOOKS:
                await wire.fetch(look)
                counts["look"] += 1
            if turn < TRIES:
                answer = await wire.fetch(make(next(numbers)))
                counts["hold" if answer.status == 201 else "refusal"] += 1
                if answer.status == 201:
                    return

    async with bench.connected(CALLERS) as wires, worker_paused(bench):
        before = spent(bench)
        await for_each(wires, [b""] * SMALL_BUYERS, visit)
        after = spent(bench)
    return counts, after[0] + after[1] - before[0] - before[1]


def run() -> str:
    """Name a load, so that its keys are its own."""
    return f"stadium{next(_runs)}"


async def main(folder: Path) -> Sequence[str]:
    """Measure, compare and plan; return the lines."""
    settings = {"FULLHOUSE_RATE_LIMITS": "off", "FULLHOUSE_SIMULATED_PAYMENTS": "on"}
    async with running_house(folder, settings=settings) as house:
        bench = await prepare(Plan(), house, lambda _: None)
        costs = await measure(bench)
        counts, took = await small_on_sale(bench)
    said = processor_seconds(counts, costs)
    done = ", ".join(f"{count:,} × {name}" for name, count in sorted(counts.items()))
    return [
        f"```json\n{json.dumps(asdict(costs), indent=1)}\n```",
        f"\nA small on-sale ({done}) took {took:.1f} s of processor time.",
        f"The model says {said:.1f} s ({said / took:.0%}).\n",
        as_markdown(STADIUM, needs_of(STADIUM, costs)),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.stdout.write("\n".join(uvloop.run(main(Path(name)))) + "\n")
