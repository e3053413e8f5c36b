"""A rush: more buyers come than can be served, and who has a place goes on to the ticket all the same."""

import json
import time
from collections import defaultdict
from typing import Final

from fullhouse.operations.bench.bench import Bench, Log, broken_promises, figure
from fullhouse.operations.bench.crowds import TIMES, Crowd, offer
from fullhouse.operations.bench.figures import Section, percentile_of, percentiles
from fullhouse.operations.bench.holds import hold_body, same_hold
from fullhouse.operations.bench.load import ACCEPTED
from fullhouse.operations.bench.purchases import ISSUED, ISSUED_SECONDS_MAX, sell, until, warm_up
from fullhouse.operations.bench.stock import put_on_sale
from fullhouse.operations.bench.visits import Held, order, pay
from fullhouse.operations.bench.wire import Answer, Wire

FIRST_SECONDS: Final = 1
"""Not counted: then the first buyers are still on their way to their payment."""


async def rush(bench: Bench) -> Section:
    """One, two and four times as many buyers as can be served; each holds, orders and pays, or is told to come back."""
    section = Section(
        "rush", "More buyers than can be served: goodput is whole purchases; health checks and the door go on beside."
    )
    log = Log()
    await warm_up(bench)
    bench.advance("as many as can be served")
    on_sale = await put_on_sale(bench.house.database, bench.organizer)
    visits = await sell(bench, on_sale, "rush-best", bench.plan.seconds)
    await until(bench.house.database, on_sale, ISSUED, visits.done, ISSUED_SECONDS_MAX)
    best = visits.done / visits.seconds
    section.figures.append(figure("purchases that the machine can do", "/s", [best]))
    for times in TIMES:
        await _come(bench, section, log, best, times)
    section.broken += await log.lost(bench.house.database, bench.organizer.organization_id)
    section.broken += await broken_promises(bench.house)
    return section


async def _come(bench: Bench, section: Section, log: Log, best: float, times: float) -> None:
    """Let so many times as many come, and wait until every ticket that was paid for is issued."""
    name = f"{times:g} times as many buyers"
    on_sale = await put_on_sale(bench.house.database, bench.organizer)
    steps: defaultdict[str, list[float]] = defaultdict(list)

    async def go_on(wire: Wire, answer: Answer) -> str:
        made = json.loads(answer.body)
        began = time.monotonic()
        placed = await order(wire, Held(made["id"], made["token"]))
        ordered = time.monotonic()
        await pay(wire, placed)
        steps["an order"].append((ordered - began) * 1_000)
        steps["a payment"].append((time.monotonic() - ordered) * 1_000)
        return ACCEPTED

    asks = same_hold(hold_body(on_sale, {"quantity": 1}), f"rush-{times:g}")
    crowd = Crowd(name, asks, log.judge, best, times, "bought or told to wait, of all", go_on, FIRST_SECONDS)
    load, *_ = await offer(bench, section, crowd)
    await until(bench.house.database, on_sale, ISSUED, load.counts.get(ACCEPTED, 0), ISSUED_SECONDS_MAX)
    for step, took in steps.items():
        worst = percentile_of(percentiles(sorted(took)), 99.0)
        section.figures.append(figure(f"{name}: {step}, p99", " ms", [worst]))
