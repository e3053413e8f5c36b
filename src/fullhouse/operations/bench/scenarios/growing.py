"""Growing: larger rooms, more sessions, old rows in the tables, more processes. What it costs is to stay level."""

import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fullhouse.operations.bench.bench import Bench, Log, figure, prepare
from fullhouse.operations.bench.costs import (
    ACTS,
    CALLERS,
    for_each,
    measure_costs,
    served,
    spent,
    worker_paused,
)
from fullhouse.operations.bench.figures import Curve, Section
from fullhouse.operations.bench.holds import hold_body, same_hold
from fullhouse.operations.bench.house import API, running_house
from fullhouse.operations.bench.lay_rows import lay_old_rows, lay_sessions
from fullhouse.operations.bench.stock import OnSale, put_on_sale
from fullhouse.operations.bench.wire import Wire, request

ROOMS: Final = (1_000, 20_000, 200_000)
SESSIONS: Final = 10_000
FEW_SESSIONS: Final = 100
SAMPLE: Final = 1_000
PROCESSES: Final = (1, 2, 4)
MORE_MAX: Final = 0.2
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
    await _sessions(bench, log, section)
    memory[f"{SESSIONS:,} sessions touched"] = _memory(bench)
    await _old_rows(bench, log, section)
    section.broken += await log.lost(bench.house.database, bench.organizer.organization_id)
    await _processes(bench, section)
    section.figures += [figure(f"memory of the API, {when}", " MB", [used]) for when, used in memory.items()]
    for curve in section.curves:
        more = max(y for _, y in curve.points) / curve.points[0][1] - 1
        verdict = "" if more <= MORE_MAX else ", **not reached**"
        section.notes.append(f"{curve.name}: at most {more:+.0%} (to stay within {MORE_MAX:+.0%}){verdict}")
    return section


async def _rooms(bench: Bench, log: Log, section: Section) -> None:
    found: list[tuple[float, dict[str, float]]] = []
    for seats in ROOMS:
        bench.advance(f"a room of {seats:,} seats")
        on_sale = await put_on_sale(bench.house.database, bench.organizer, seats=seats)
        found.append((seats, await measure_costs(bench, on_sale, "best_available", log, _run())))
    section.curves += _curves("larger rooms", "seats", found)


async def _sessions(bench: Bench, log: Log, section: Section) -> None:
    """Measure one session before and after thousands of others were looked at and sold; and holds over all of them."""
    bench.advance("one session")
    on_sale = await put_on_sale(bench.house.database, bench.organizer)
    found = [(1.0, await measure_costs(bench, on_sale, "quantity", log, _run()))]
    bench.advance(f"{SESSIONS:,} sessions")
    laid = await lay_sessions(bench.house.database_url, on_sale, SESSIONS)
    spread = [(float(count), await _spread(bench, laid[:count])) for count in (FEW_SESSIONS, SESSIONS)]
    found.append((float(SESSIONS), await measure_costs(bench, on_sale, "quantity", log, _run())))
    section.curves += _curves("among other sessions", "sessions", found)
    section.curves.append(Curve("a hold in a session of its own each", "sessions", "µs", spread))


async def _spread(bench: Bench, laid: Sequence[OnSale]) -> float:
    """Hold one place in each session and look at it; then hold again in some, and return what that costs."""
    first = [same_hold(hold_body(one, {"quantity": 1}), _run())(0) for one in laid]
    looks = [request("GET", f"/api/v1/sessions/{one.session_id}/availability") for one in laid]
    some = laid[:: max(1, len(laid) // SAMPLE)]
    again = [same_hold(hold_body(one, {"quantity": 1}), _run())(0) for one in some]

    async def ask(wire: Wire, data: bytes) -> None:
        await served(wire, data, (200, 201))

    async with bench.connected(CALLERS) as wires:
        await for_each(wires, first, ask)
        await for_each(wires, looks, ask)
        async with worker_paused(bench):
            before = spent(bench)
            await for_each(wires, again, ask)
            return (spent(bench) - before) / len(again) * 1e6


async def _old_rows(bench: Bench, log: Log, section: Section) -> None:
    """Measure before and after years of sales lie in the tables, too young for anything to prune them meanwhile."""
    on_sale = await put_on_sale(bench.house.database, bench.organizer)
    over = await put_on_sale(bench.house.database, bench.organizer)
    found: list[tuple[float, dict[str, float]]] = []
    for rows in (0, bench.plan.rows_before):
        bench.advance(f"{rows:,} old rows in each table")
        if rows:
            await lay_old_rows(bench.house.database_url, bench.house.folder, over, rows)
        found.append((rows, await measure_costs(bench, on_sale, "quantity", log, _run())))
    section.curves += _curves("beside old rows", "rows in each table", found)


async def _processes(bench: Bench, section: Section) -> None:
    """Start houses of more processes: each competes for the same processors here, which is said beside it."""
    found: list[tuple[float, dict[str, float]]] = []
    for processes in PROCESSES:
        bench.advance(f"{processes} processes on one session")
        with tempfile.TemporaryDirectory(dir=bench.house.folder) as name:
            settings = {"FULLHOUSE_RATE_LIMITS": "off", "FULLHOUSE_SIMULATED_PAYMENTS": "on"}
            async with running_house(Path(name), processes=processes, settings=settings) as house:
                other = await prepare(bench.plan, house, bench.advance)
                on_sale = await put_on_sale(house.database, other.organizer)
                found.append((processes, await measure_costs(other, on_sale, "quantity", Log(), _run())))
    section.curves += _curves("more processes on one session", "processes", found)


def _curves(name: str, x_name: str, found: Sequence[tuple[float, dict[str, float]]]) -> list[Curve]:
    return [Curve(f"{act}, {name}", x_name, "µs", [(x, costs[act]) for x, costs in found], name) for act in ACTS]


def _memory(bench: Bench) -> float:
    """Return the resident memory of the largest API process, in megabytes."""
    return max(bench.house.resident_bytes(API).values(), default=0) / 1e6


def _run() -> str:
    return f"growth{next(_runs)}"
