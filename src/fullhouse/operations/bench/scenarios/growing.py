"""Growing: larger rooms, more sessions, old rows in the tables, more processes. What it costs is to stay level."""

import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fullhouse.operations.bench.bench import Bench, Log, figure, prepare
from fullhouse.operations.bench.figures import Curve, Section
from fullhouse.operations.bench.holds import each_hold, hold_body, same_hold
from fullhouse.operations.bench.house import running_house
from fullhouse.operations.bench.limits import as_owner
from fullhouse.operations.bench.load import MakeRequest
from fullhouse.operations.bench.stock import OnSale, put_on_sale

ROOMS: Final = (1_000, 20_000, 200_000)
SESSIONS: Final = (1, 100, 10_000)
PROCESSES: Final = (1, 2, 4)
_ROWS_AT_ONCE: Final = 100_000
_runs = itertools.count()

_OLD_ROWS: Final = (
    """
    INSERT INTO outbox (organization_id, message_id, partition, key, type, version, data, sent_at)
    SELECT $1, gen_random_uuid(), number % 64, gen_random_uuid(), 'order.paid', 1, '{}', clock_timestamp()
    FROM generate_series(1, $2::integer) AS number
    """,
    """
    INSERT INTO idempotency_keys (organization_id, scope, key, fingerprint, status, answer)
    SELECT $1, 'old', gen_random_uuid()::text, '\\x00', 201, '{}' FROM generate_series(1, $2::integer) AS number
    """,
    """
    INSERT INTO orders (organization_id, order_id, event_id, session_id, reservation_id, status, secret_hash,
                        total_minor, currency, paid_at)
    SELECT $1, gen_random_uuid(), $3, $4, gen_random_uuid(), 'paid', '\\x00', 0, 'EUR', clock_timestamp()
    FROM generate_series(1, $2::integer)
    """,
    """
    INSERT INTO tickets (organization_id, ticket_id, event_id, session_id, order_id, unit_id, generation, key_id)
    SELECT $1, gen_random_uuid(), $3, $4, gen_random_uuid(), gen_random_uuid(), 1, 1
    FROM generate_series(1, $2::integer)
    """,
)


async def growth(bench: Bench) -> Section:
    """Sell the same in ever larger houses."""
    section = Section("growth", "The same requests in larger rooms, with more sessions, old rows and processes.")
    log = Log()
    section.curves.append(await _rooms(bench, log))
    section.curves.append(await _sessions(bench, log))
    section.curves.append(await _old_rows(bench, log))
    section.broken += await log.lost(bench.house.database, bench.organizer.organization_id)
    section.curves.append(await _processes(bench))
    for curve in section.curves:
        costs = [1 / rate for _, rate in curve.points]
        section.notes.append(
            f"{curve.name}: the largest costs {costs[-1] / costs[0] - 1:+.0%} (to reach at most +20 %)"
        )
    memory = bench.house.resident_bytes(" api ").values()
    section.figures.append(figure("memory of an API process afterwards", " MB", [max(memory, default=0) / 1e6]))
    return section


async def _rooms(bench: Bench, log: Log) -> Curve:
    points: list[tuple[float, float]] = []
    for seats in ROOMS:
        bench.advance(f"a room of {seats:,} seats")
        on_sale = await put_on_sale(bench.house.database, bench.organizer, seats=seats)
        make = same_hold(hold_body(on_sale, {"best_available": 1}), _run())
        # No longer than the smallest room lasts, or the larger ones would be compared with refusals.
        points.append((seats, await bench.capacity(make, log.judge, seconds=min(bench.plan.seconds, 1.0))))
    return Curve("best seats in larger rooms", "seats", "holds/s", points)


async def _sessions(bench: Bench, log: Log) -> Curve:
    points: list[tuple[float, float]] = []
    made: list[OnSale] = []
    for sessions in SESSIONS:
        bench.advance(f"{sessions:,} sessions")
        while len(made) < sessions:
            made.append(await put_on_sale(bench.house.database, bench.organizer))
        points.append((sessions, await bench.capacity(_spread(made), log.judge)))
    return Curve("holds spread over more sessions", "sessions", "holds/s", points)


def _spread(made: Sequence[OnSale]) -> MakeRequest:
    bodies = [hold_body(on_sale, {"quantity": 1}) for on_sale in made]
    return each_hold(lambda number: bodies[number % len(bodies)], _run())


async def _old_rows(bench: Bench, log: Log) -> Curve:
    points: list[tuple[float, float]] = []
    on_sale = await put_on_sale(bench.house.database, bench.organizer)
    body = hold_body(on_sale, {"quantity": 1})
    for rows in (0, bench.plan.rows_before):
        bench.advance(f"{rows:,} old rows in each table")
        if rows:
            await lay_old_rows(bench.house.database_url, on_sale, rows)
        points.append((rows, await bench.capacity(same_hold(body, _run()), log.judge)))
    return Curve("holds beside old rows", "rows in each table", "holds/s", points)


async def lay_old_rows(url: str, on_sale: OnSale, rows: int) -> None:
    """Lay so many old messages, keys, orders and tickets of one organization into the tables."""
    async with as_owner(url) as conn:
        await conn.execute("SET statement_timeout = 0")
        for statement in _OLD_ROWS:
            ids = (on_sale.event_id, on_sale.session_id) if "$3" in statement else ()
            for laid in range(0, rows, _ROWS_AT_ONCE):
                count = min(_ROWS_AT_ONCE, rows - laid)
                await conn.execute(statement, on_sale.organization_id, count, *ids)
        await conn.execute("ANALYZE outbox, idempotency_keys, orders, tickets")


async def _processes(bench: Bench) -> Curve:
    """Start houses of more processes: each competes for the same processors here, which is said beside it."""
    points: list[tuple[float, float]] = []
    for processes in PROCESSES:
        bench.advance(f"{processes} processes on one session")
        with tempfile.TemporaryDirectory(dir=bench.house.folder) as name:
            settings = {"FULLHOUSE_RATE_LIMITS": "off"}
            async with running_house(Path(name), processes=processes, settings=settings) as house:
                other = await prepare(bench.plan, house, bench.advance)
                on_sale = await put_on_sale(house.database, other.organizer)
                make = same_hold(hold_body(on_sale, {"quantity": 1}), _run())
                points.append((processes, await other.capacity(make, Log().judge)))
    return Curve("desks of several processes on one session", "processes", "holds/s", points)


def _run() -> str:
    return f"growth{next(_runs)}"
