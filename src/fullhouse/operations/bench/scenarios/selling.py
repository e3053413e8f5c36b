"""Selling at once: general admission, chosen seats, best available, stock that comes back, and nothing left."""

from collections.abc import Callable, Sequence
from itertools import count

from fullhouse.operations.bench.bench import Bench, Log, broken_promises, by_status, figure, limited
from fullhouse.operations.bench.choosing import cost_by_fill
from fullhouse.operations.bench.figures import Figure, Ratio, Section, ratio
from fullhouse.operations.bench.holds import PATH, each_hold, hold_body, same_hold
from fullhouse.operations.bench.load import MakeRequest, OpenLoop
from fullhouse.operations.bench.stock import OnSale, put_on_sale
from fullhouse.operations.bench.wire import request

SEATS = 20_000
OF_BARE = 0.5
OF_BARE_LIMITED = 0.4
OF_PGBENCH = 7.0
REFUSALS_OF_BARE = 0.7
REFUSALS_OF_BARE_LIMITED = 0.5
CHOICE_MEAN_US_MAX = 60.0
CHOICE_P99_US_MAX = 400.0
_IDENTITY = (("authorization", f"Bearer {'x' * 43}"),)
"""A credential, whose budget is looked for with every request."""
_runs = count()


async def onsale(bench: Bench) -> Section:
    """General admission: everyone asks for one ticket of the same kind."""
    section = Section("onsale", "One hot session with general admission; each hold is durable before it is answered.")
    bare, single, holds, counted = list[float](), list[float](), list[float](), list[float]()
    async with limited(bench) as other:
        logs = Log(), Log()
        asks = [
            hold_body(await put_on_sale(one.house.database, one.organizer), {"quantity": 1}) for one in (bench, other)
        ]
        for one, body, log in zip((bench, other), asks, logs, strict=True):
            await one.capacity(same_hold(body, _run()), log.judge, seconds=bench.plan.warm_up_seconds)
        for _ in range(bench.plan.rounds):
            bare.append(await bench.bare(asks[0]))
            single.append(await bench.pgbench())
            holds.append(await bench.capacity(same_hold(asks[0], _run()), logs[0].judge))
            counted.append(await other.capacity(same_hold(asks[1], _run(), _IDENTITY), logs[1].judge))
        section.broken += await logs[1].lost(other.house.database, other.organizer.organization_id)
    limit, statements, sold, sold_counted = (
        figure("bare handler", "/s", bare),
        figure("pgbench, one guarded statement, 64 clients", "/s", single),
        figure("durable holds over HTTP", "/s", holds),
        figure("durable holds over HTTP, with identity and limits", "/s", counted),
    )
    section.figures += [limit, statements, sold, sold_counted]
    section.ratios += [
        ratio("durable holds over HTTP, over the bare handler", sold, limit, OF_BARE),
        ratio("the same with identity and limits", sold_counted, limit, OF_BARE_LIMITED),
        ratio("durable holds over HTTP, over pgbench's guarded statement", sold, statements, OF_PGBENCH),
    ]
    await _open_loop(bench, section, same_hold(asks[0], _run()), logs[0], sold.median)
    section.broken += await logs[0].lost(bench.house.database, bench.organizer.organization_id)
    section.broken += await broken_promises(bench.house)
    return section


async def seats(bench: Bench) -> Section:
    """Chosen seats: everyone points at a pair, and many at the same one."""
    section = Section(
        "seats", f"Chosen pairs of {SEATS:,} seats; half of the buyers point at taken ones, as people do."
    )
    log, rates = Log(), list[float]()
    for _ in range(bench.plan.rounds):
        on_sale = await put_on_sale(bench.house.database, bench.organizer, seats=SEATS)
        rates.append(await bench.capacity(each_hold(_pairs_of(on_sale), _run()), log.judge, seconds=_in_a_room(bench)))
    section.figures.append(figure("attempts at chosen pairs", "/s", rates))
    section.broken += await log.lost(bench.house.database, bench.organizer.organization_id) + await broken_promises(
        bench.house
    )
    return section


async def best_available(bench: Bench) -> Section:
    """Best available: everyone asks for the best two seats that are left, until none are."""
    section = Section("best-available", f"The best pair of {SEATS:,} seats, again and again, until the room is full.")
    log, rates = Log(), list[float]()
    for _ in range(bench.plan.rounds):
        on_sale = await put_on_sale(bench.house.database, bench.organizer, seats=SEATS)
        body = hold_body(on_sale, {"best_available": 2})
        rates.append(await bench.capacity(same_hold(body, _run()), log.judge, seconds=_in_a_room(bench)))
    section.figures.append(figure("best pairs", "/s", rates))
    bench.advance("choosing by itself")
    costs = cost_by_fill()
    section.figures += [Figure(f"choosing {fill}: mean", " µs", (cost.mean,)) for fill, cost in costs.items()]
    section.ratios += [
        _worst("mean", [cost.mean for cost in costs.values()], CHOICE_MEAN_US_MAX),
        _worst("p99", [cost.p99 for cost in costs.values()], CHOICE_P99_US_MAX),
    ]
    section.broken += await log.lost(bench.house.database, bench.organizer.organization_id) + await broken_promises(
        bench.house
    )
    return section


async def sold_out(bench: Bench) -> Section:
    """Nothing left: what it costs to say so."""
    section = Section(
        "sold-out",
        "A session whose stock is gone; everyone still asks for it. A key is looked up before it is refused.",
    )
    bare, refusals, counted, keyed = list[float](), list[float](), list[float](), list[float]()
    async with limited(bench) as other:
        bodies = [
            hold_body(await put_on_sale(one.house.database, one.organizer, capacity=1), {"quantity": 1})
            for one in (bench, other)
        ]
        asks = [request("POST", PATH, headers, body) for headers, body in zip(((), _IDENTITY), bodies, strict=True)]
        for one, body in zip((bench, other), bodies, strict=True):
            await one.capacity(same_hold(body, _run()), by_status, seconds=bench.plan.warm_up_seconds)
        for _ in range(bench.plan.rounds):
            bare.append(await bench.bare(bodies[0]))
            refusals.append(await bench.capacity(lambda _: asks[0], by_status))
            counted.append(await other.capacity(lambda _: asks[1], by_status))
            keyed.append(await bench.capacity(same_hold(bodies[0], _run()), by_status))
    limit, refused, refused_counted, refused_keyed = (
        figure("bare handler", "/s", bare),
        figure("refusals of a sold-out session", "/s", refusals),
        figure("refusals with identity and limits", "/s", counted),
        figure("refusals whose keys are looked up and kept", "/s", keyed),
    )
    section.figures += [limit, refused, refused_counted, refused_keyed]
    section.ratios += [
        ratio("refusals of a sold-out session over the bare handler", refused, limit, REFUSALS_OF_BARE),
        ratio("refusals with identity and limits over it", refused_counted, limit, REFUSALS_OF_BARE_LIMITED),
        ratio("refusals whose keys are looked up and kept, over it", refused_keyed, limit, REFUSALS_OF_BARE),
    ]
    await _open_loop(bench, section, lambda _: asks[0], Log(), refused.median)
    section.broken += await broken_promises(bench.house)
    return section


async def _open_loop(bench: Bench, section: Section, make_request: MakeRequest, log: Log, capacity: float) -> None:
    """Add a load at a part of what the machine can do, which is where latency can be told."""
    bench.advance("open loop")
    rate = capacity * bench.plan.share_of_capacity
    async with bench.connected() as wires:
        load = OpenLoop(wires, make_request, log.judge)
        name = f"{section.name} at {bench.plan.share_of_capacity:.0%} of the closed loop"
        section.loads.append(await load.run(name, rate, bench.plan.seconds))


def _worst(what: str, values: Sequence[float], most: float) -> Ratio:
    """Compare the worst of all fills."""
    return Ratio(f"best available of {SEATS:,} seats, any fill: {what} in µs", (max(values),), most, is_most=True)


def _in_a_room(bench: Bench) -> float:
    """Return for how long a room is sold: no longer than it may take to fill."""
    return min(bench.plan.seconds, 3.0)


def _pairs_of(on_sale: OnSale) -> Callable[[int], bytes]:
    keys = on_sale.seat_keys

    def body(number: int) -> bytes:
        # A walk over the room that meets each pair, and every second time one that was asked for before.
        at = (number if number % 2 else number * 7919) * 2 % (len(keys) - 1)
        return hold_body(on_sale, {"seats": [keys[at], keys[at + 1]]})

    return body


def _run() -> str:
    return f"run{next(_runs)}"
