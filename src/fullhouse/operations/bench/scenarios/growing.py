"""Growing: larger rooms, more sessions, old rows in the tables, more processes. What it costs is to stay level."""

import itertools
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final

from fullhouse.operations.bench.bench import Bench, Log, figure, prepare
from fullhouse.operations.bench.costs import ACTS, CALLERS, WHOLE, Place, Turns, compare_costs
from fullhouse.operations.bench.figures import Curve, Ratio, Section
from fullhouse.operations.bench.holds import hold_body, same_hold
from fullhouse.operations.bench.house import API, running_house
from fullhouse.operations.bench.lay_rows import lay_old_rows, lay_sessions
from fullhouse.operations.bench.portions import ROUNDS, Portions, by_turns, for_each, served
from fullhouse.operations.bench.stock import OnSale, put_on_sale
from fullhouse.operations.bench.wire import Wire, request

ROOMS: Final = (1_000, 20_000, 200_000)
SESSIONS: Final = 10_000
FEW_SESSIONS: Final = 100
SAMPLE: Final = 200
"""Holds of a round over many sessions."""
PROCESSES: Final = (1, 2, 4)
TURNS: Final = Turns(times=6)
"""Where no room is small, more acts: of few, what begins anew in each process would be the most."""
TURNS_OF_PROCESSES: Final = Turns(times=12, rounds=15)
"""Processes that compete for the same processors cost more in one round and less in the next."""
CALLERS_OF_A_PROCESS: Final = 64
MOST: Final = 1.2
_runs = itertools.count()


async def growth(bench: Bench) -> Section:
    """Sell the same in ever larger houses; each act is measured by the processor time of the API and Postgres."""
    section = Section(
        "growth",
        "Processor time of single acts (API and Postgres) in larger rooms, with more sessions, old rows and processes.",
    )
    log = Log()
    memory = {"idle": _memory(bench)}
    await _rooms(bench, log, section)
    memory[f"rooms of {sum(ROOMS):,} seats in three sessions"] = _memory(bench)
    async with _house(bench, 1) as small:
        await _sessions(bench, small, log, section)
        memory[f"{SESSIONS:,} sessions touched"] = _memory(bench)
        await _old_rows(bench, small, log, section)
        section.broken += await log.lost(bench.house.database, bench.organizer.organization_id)
        await _processes(bench, small, section)
    section.figures += [figure(f"memory of the API, {when}", " MB", [used]) for when, used in memory.items()]
    return section


async def _rooms(bench: Bench, log: Log, section: Section) -> None:
    bench.advance("rooms")
    rooms = [await put_on_sale(bench.house.database, bench.organizer, seats=seats) for seats in ROOMS]
    places = [Place(bench, on_sale, "best_available", log, _run()) for on_sale in rooms]
    _compared(section, "larger rooms", "seats", ROOMS, await compare_costs(places))


async def _sessions(bench: Bench, small: Bench, log: Log, section: Section) -> None:
    """Compare a house of one session with one where thousands are looked at and sold; and holds over all of them."""
    bench.advance(f"{SESSIONS:,} sessions")
    on_sale = await put_on_sale(bench.house.database, bench.organizer)
    laid = await lay_sessions(bench.house.database_url, on_sale, SESSIONS)
    spread = await _spread(bench, laid)
    name = "a hold in a session of its own each"
    points = [(float(count), median(costs)) for count, costs in zip((FEW_SESSIONS, SESSIONS), spread, strict=True)]
    section.curves.append(Curve(name, "sessions", "µs", points))
    section.ratios.append(_over(f"{name}, {SESSIONS:,} over {FEW_SESSIONS} sessions", spread[1], spread[0]))
    places = [await _counted(small, Log()), Place(bench, on_sale, "quantity", log, _run())]
    _compared(section, "among other sessions", "sessions", (1, SESSIONS), await compare_costs(places, TURNS))


async def _spread(bench: Bench, laid: Sequence[OnSale]) -> list[Sequence[float]]:
    """Hold one place in each session and look at it; then, by turns, hold in some of few and in some of all."""
    first = [_hold(one) for one in laid]
    looks = [request("GET", f"/api/v1/sessions/{one.session_id}/availability") for one in laid]

    async def ask(wire: Wire, data: bytes) -> None:
        await served(wire, data, (200, 201))

    async with bench.connected(CALLERS) as wires:
        await for_each(wires, first, ask)
        await for_each(wires, looks, ask)
        portions: list[Portions] = []
        for some in (laid[:FEW_SESSIONS], laid[:: SESSIONS // (SAMPLE * (1 + ROUNDS))]):
            asks = iter([_hold(one) for one in itertools.islice(itertools.cycle(some), SAMPLE * (1 + ROUNDS))])
            portions.append(Portions(bench, wires, [[*itertools.islice(asks, SAMPLE)] for _ in range(1 + ROUNDS)], ask))
        return await by_turns(portions)


def _hold(on_sale: OnSale) -> bytes:
    return same_hold(hold_body(on_sale, {"quantity": 1}), _run())(0)


async def _old_rows(bench: Bench, small: Bench, log: Log, section: Section) -> None:
    """Let years of sales lie in the tables, too young for anything to prune them meanwhile; they join the sessions."""
    rows = bench.plan.rows_before
    bench.advance(f"{rows:,} old rows in each table")
    over = await put_on_sale(bench.house.database, bench.organizer)
    await lay_old_rows(bench.house.database_url, bench.house.folder, over, rows)
    places = [await _counted(small, Log()), await _counted(bench, log)]
    _compared(section, "beside old rows", "rows in each table", (0, rows), await compare_costs(places, TURNS))


async def _processes(bench: Bench, small: Bench, section: Section) -> None:
    """Start houses of more processes with as many callers each: all compete for the same processors here."""
    bench.advance(f"{max(PROCESSES)} processes on one session")
    async with _house(bench, PROCESSES[1]) as two, _house(bench, PROCESSES[2]) as four:
        houses = zip((small, two, four), PROCESSES, strict=True)
        places = [await _counted(each, Log(), callers=CALLERS_OF_A_PROCESS * processes) for each, processes in houses]
        found = await compare_costs(places, TURNS_OF_PROCESSES)
        _compared(section, "more processes on one session", "processes", PROCESSES, found)


@asynccontextmanager
async def _house(bench: Bench, processes: int) -> AsyncGenerator[Bench]:
    """Run another house beside the first, which has nothing in its tables."""
    settings = {"FULLHOUSE_RATE_LIMITS": "off", "FULLHOUSE_SIMULATED_PAYMENTS": "on"}
    with tempfile.TemporaryDirectory(dir=bench.plan.folder.absolute(), prefix="growth-") as name:
        async with running_house(Path(name), processes=processes, settings=settings) as house:
            yield await prepare(bench.plan, house, bench.advance)


async def _counted(bench: Bench, log: Log, callers: int = CALLERS) -> Place:
    return Place(bench, await put_on_sale(bench.house.database, bench.organizer), "quantity", log, _run(), callers)


def _compared(
    section: Section, name: str, x_name: str, sizes: Sequence[int], found: Sequence[dict[str, Sequence[float]]]
) -> None:
    """Note what each act costs by size, and how it compares with the smallest, round by round."""
    for act in (*ACTS, WHOLE):
        points = [(float(size), median(costs[act])) for size, costs in zip(sizes, found, strict=True)]
        section.curves.append(Curve(f"{act}, {name}", x_name, "µs", points, name))
        if act == WHOLE:
            continue  # A body in proportion to the room is no act that is to stay level.
        section.ratios += [
            _over(f"{act}, {name}: {size:,} over {sizes[0]:,}", costs[act], found[0][act])
            for size, costs in list(zip(sizes, found, strict=True))[1:]
        ]


def _over(name: str, costs: Sequence[float], of_small: Sequence[float]) -> Ratio:
    return Ratio(name, tuple(one / other for one, other in zip(costs, of_small, strict=True)), MOST, is_most=True)


def _memory(bench: Bench) -> float:
    """Return the resident memory of the largest API process, in megabytes."""
    return max(bench.house.resident_bytes(API).values(), default=0) / 1e6


def _run() -> str:
    return f"growth{next(_runs)}"
