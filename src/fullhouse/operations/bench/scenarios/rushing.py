"""A rush: more buyers come than can be served, and who has a place goes on to the ticket all the same."""

import json
import time
from collections import defaultdict

from fullhouse.operations.bench.bench import Bench, Log, broken_promises, figure
from fullhouse.operations.bench.crowds import TIMES, Came, Crowd, Turns, offer
from fullhouse.operations.bench.figures import Section, p99_of
from fullhouse.operations.bench.holds import hold_body, same_hold
from fullhouse.operations.bench.load import ACCEPTED
from fullhouse.operations.bench.purchases import FIRST_SECONDS, ISSUED, ISSUED_SECONDS_MAX, sell, until, warm_up
from fullhouse.operations.bench.stock import put_on_sale
from fullhouse.operations.bench.visits import Held, order, pay
from fullhouse.operations.bench.wire import Answer, Wire


async def rush(bench: Bench) -> Section:
    """One, two and four times as many buyers as can be served; each holds, orders and pays, or is told to come back."""
    section = Section(
        "rush", "More buyers than can be served: goodput is whole purchases; health checks and the door go on beside."
    )
    log = Log()
    steps: defaultdict[str, list[list[float]]] = defaultdict(list)

    async def best() -> float:
        bench.advance("as many as can be served")
        on_sale = await put_on_sale(bench.house.database, bench.organizer)
        seconds = FIRST_SECONDS + bench.plan.seconds
        visits = await sell(bench, on_sale, "rush-best", seconds)
        await until(bench.house.database, on_sale, ISSUED, visits.done, ISSUED_SECONDS_MAX)
        return visits.rate(FIRST_SECONDS, seconds)

    async def come(name: str, per_second: float) -> Came:
        on_sale = await put_on_sale(bench.house.database, bench.organizer)
        orders, payments = list[float](), list[float]()
        steps[f"{name}: an order"].append(orders)
        steps[f"{name}: a payment"].append(payments)

        async def go_on(wire: Wire, answer: Answer) -> str:
            made = json.loads(answer.body)
            began = time.monotonic()
            placed = await order(wire, Held(made["id"], made["token"]))
            ordered = time.monotonic()
            await pay(wire, placed)
            orders.append((ordered - began) * 1_000)
            payments.append((time.monotonic() - ordered) * 1_000)
            return ACCEPTED

        asks = same_hold(hold_body(on_sale, {"quantity": 1}), "rush")
        came = await offer(bench, Crowd(name, asks, log.judge, per_second, go_on, FIRST_SECONDS))
        bought = came.loads[0].counts.get(ACCEPTED, 0)
        await until(bench.house.database, on_sale, ISSUED, bought, ISSUED_SECONDS_MAX)
        return came

    await warm_up(bench)
    turns = Turns("{} times as many buyers", best, come, "bought or told to wait, of all")
    bests = await turns.compare(section, bench.plan.rounds, TIMES)
    section.figures.append(figure("purchases that the machine can do", "/s", bests))
    for step, took in steps.items():
        section.figures.append(figure(f"{step}, p99", " ms", [p99_of(one) for one in took]))
    section.broken += await log.lost(bench.house.database, bench.organizer.organization_id)
    section.broken += await broken_promises(bench.house)
    return section
