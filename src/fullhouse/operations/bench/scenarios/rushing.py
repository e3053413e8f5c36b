"""A rush: more buyers come than can be served, and who has a place goes on to the ticket all the same."""

import json
import time
from collections import defaultdict
from typing import Final

from fullhouse.operations.bench.bench import Bench, Log, broken_promises, figure
from fullhouse.operations.bench.figures import PERCENTILES, Section, percentiles
from fullhouse.operations.bench.holds import hold_body, same_hold
from fullhouse.operations.bench.load import ACCEPTED, OpenLoop
from fullhouse.operations.bench.probes import beside, judged
from fullhouse.operations.bench.purchases import BUYERS, ISSUED, ISSUED_SECONDS_MAX, buyer, until, warm_up
from fullhouse.operations.bench.stock import put_on_sale
from fullhouse.operations.bench.visits import Held, order, pay, visit_again
from fullhouse.operations.bench.wire import Answer, Wire

TIMES: Final = (1.0, 2.0, 4.0)
CONNECTIONS: Final = 2_000
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
    async with bench.connected(BUYERS) as wires:
        visits = await visit_again(wires, bench.plan.seconds, buyer(on_sale, "rush-best"))
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
    bench.advance(name)
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
    async with bench.connected(CONNECTIONS) as wires:
        crowd = OpenLoop(wires, asks, log.judge, go_on=go_on)
        loads, note = await beside(bench, name, crowd.run(name, best * times, FIRST_SECONDS + bench.plan.seconds))
    await until(bench.house.database, on_sale, ISSUED, loads[0].counts.get(ACCEPTED, 0), ISSUED_SECONDS_MAX)
    section.loads += loads
    section.notes.append(note)
    section.ratios += judged(loads, best, "bought or told to wait, of all", FIRST_SECONDS)
    for step, took in steps.items():
        worst = percentiles(sorted(took))[PERCENTILES.index(99.0)]
        section.figures.append(figure(f"{name}: {step}, p99", " ms", [worst]))
