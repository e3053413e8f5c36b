"""Whole purchases, from the hold to the payment, and what becomes of them afterwards."""

import asyncio
from datetime import datetime, timedelta
from typing import Final, LiteralString

from fullhouse.infra.postgres import Pool, transaction
from fullhouse.operations.bench.bench import Bench
from fullhouse.operations.bench.stock import OnSale, put_on_sale
from fullhouse.operations.bench.visits import Visits, hold, order, pay, visit_again
from fullhouse.operations.bench.wire import Wire

BUYERS: Final = 320
"""So many buy at the same time, each the next ticket when they have the last."""
WARM_UP_TIMES: Final = 3
FIRST_SECONDS: Final = 1
"""Not counted: then the first buyers are still on their way to their payment."""
ISSUED_SECONDS_MAX: Final = 120.0
MAILED_SECONDS_MAX: Final = 300.0
LOOK_SECONDS: Final = 0.05

PAID: Final[LiteralString] = (
    "SELECT count(*) FROM orders WHERE organization_id = $1 AND session_id = $2 AND status = 'paid'"
)
ISSUED: Final[LiteralString] = """
    SELECT count(*) FROM orders WHERE organization_id = $1 AND session_id = $2 AND EXISTS (
        SELECT FROM tickets
        WHERE tickets.organization_id = orders.organization_id AND tickets.order_id = orders.order_id
    )
"""
ISSUED_BETWEEN: Final[LiteralString] = """
    SELECT count(DISTINCT order_id) FROM tickets
    WHERE organization_id = $1 AND session_id = $2 AND issued_at >= $3 AND issued_at < $4
"""
MAILED: Final[LiteralString] = """
    SELECT count(*) FROM mail_deliveries JOIN orders USING (organization_id, order_id)
    WHERE organization_id = $1 AND session_id = $2
"""


async def warm_up(bench: Bench) -> None:
    """Sell up to the mail on a session that is not measured: programs load and databases plan when first asked.

    Thrice as long as elsewhere: each connection plans each of its statements five times before it keeps a plan.
    """
    bench.advance("warm-up")
    on_sale = await put_on_sale(bench.house.database, bench.organizer)
    visits = await sell(bench, on_sale, "warm-up", WARM_UP_TIMES * bench.plan.warm_up_seconds)
    await until(bench.house.database, on_sale, MAILED, visits.done, MAILED_SECONDS_MAX)


async def sell(bench: Bench, on_sale: OnSale, run: str, seconds: float) -> Visits:
    """Let ``BUYERS`` hold a place, order and pay, again and again; ``run`` keeps their keys apart."""

    async def visit(wire: Wire, number: int) -> None:
        kept = await hold(wire, on_sale, f"{run}-{number}", {"quantity": 1})
        if kept is not None:
            await pay(wire, await order(wire, kept))

    async with bench.connected(BUYERS) as wires:
        return await visit_again(wires, seconds, visit)


async def until(pool: Pool, on_sale: OnSale, query: LiteralString, wanted: int, seconds_max: float) -> None:
    """Wait until a session has so many of ``PAID``, ``ISSUED`` or ``MAILED``. Raises ``TimeoutError``."""
    async with asyncio.timeout(seconds_max):
        while await _count(pool, on_sale, query) < wanted:  # noqa: ASYNC110 (a database says nothing by itself)
            await asyncio.sleep(LOOK_SECONDS)


async def issued_rate(pool: Pool, on_sale: OnSale, since: datetime, seconds: float) -> float:
    """Return for how many orders of a session tickets were issued a second, in so many seconds from a moment on."""
    return await _count(pool, on_sale, ISSUED_BETWEEN, since, since + timedelta(seconds=seconds)) / seconds


async def _count(pool: Pool, on_sale: OnSale, query: LiteralString, *between: datetime) -> int:
    async with transaction(pool, on_sale.organization_id) as conn:
        found: int = await conn.fetchval(query, on_sale.organization_id, on_sale.session_id, *between)
    return found
