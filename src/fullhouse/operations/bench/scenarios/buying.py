"""Buying to the end: holds that come back, paying, whole purchases up to the mail, and the door."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import Final, TypeVar

from fullhouse.infra.postgres import Pool, transaction
from fullhouse.infra.system import now
from fullhouse.operations.bench.bench import Bench, broken_promises, by_status, figure
from fullhouse.operations.bench.figures import Ratio, Section
from fullhouse.operations.bench.load import ACCEPTED, closed_loop
from fullhouse.operations.bench.purchases import (
    BUYERS,
    FIRST_SECONDS,
    ISSUED,
    ISSUED_SECONDS_MAX,
    MAILED,
    MAILED_SECONDS_MAX,
    PAID,
    issued_rate,
    sell,
    until,
    warm_up,
)
from fullhouse.operations.bench.stock import PER_ORDER_MAX, OnSale, put_on_sale
from fullhouse.operations.bench.visits import ComeLater, Placed, codes, give_back, hold, order, pay, visit_again
from fullhouse.operations.bench.wire import Wire, request

DROPPED_OF_TEN: Final = 9
CHURN_CAPACITY: Final = 500
TICKETS_TO_SCAN: Final = 4_000
WARM_UP_TICKETS: Final = 1_000
SCANNED_SECONDS_MAX: Final = 60.0
VISITORS: Final = 128
T = TypeVar("T")
PURCHASES_A_SECOND: Final = 900.0
MAILS_A_SECOND: Final = 150.0
SCANS_A_SECOND: Final = 4_000.0


async def churn(bench: Bench) -> Section:
    """Nine of ten holds are given back, and the stock is sold again and again."""
    section = Section("churn", f"{CHURN_CAPACITY} places; nine of ten holds are given back and sold again.")
    rates: list[float] = []
    for turn in range(bench.plan.rounds):
        bench.advance("holds that come back")
        on_sale = await put_on_sale(bench.house.database, bench.organizer, capacity=CHURN_CAPACITY)
        held = 0

        async def visit(wire: Wire, number: int, on_sale: OnSale = on_sale, turn: int = turn) -> None:
            nonlocal held
            kept = await hold(wire, on_sale, f"churn-{turn}-{number}", {"quantity": 1})
            if kept is None:
                return
            held += 1
            if number % 10 < DROPPED_OF_TEN:
                await give_back(wire, kept)

        async with bench.connected(VISITORS) as wires:
            visits = await visit_again(wires, bench.plan.seconds, visit)
        rates.append(held / visits.seconds)
    section.figures.append(figure("holds, nine of ten given back", "/s", rates))
    section.broken += await broken_promises(bench.house)
    return section


async def pay_orders(bench: Bench) -> Section:
    """Orders that wait for their payment are all paid at once."""
    section = Section("pay", "Orders are placed first; then all are paid at once, until the last one is settled.")
    rates: list[float] = []
    await warm_up(bench)
    for turn in range(bench.plan.rounds):
        on_sale = await put_on_sale(bench.house.database, bench.organizer)
        async with bench.connected(VISITORS) as wires:
            bench.advance("placing orders")
            placed = await _place(wires, on_sale, bench.plan.seconds, f"pay-{turn}")
            bench.advance("paying them")
            began = time.monotonic()
            await _for_each(wires, placed, pay)
        await until(bench.house.database, on_sale, PAID, len(placed), ISSUED_SECONDS_MAX)
        rates.append(len(placed) / (time.monotonic() - began))
    section.figures.append(figure("orders paid and settled", "/s", rates))
    section.broken += await broken_promises(bench.house)
    return section


async def purchase(bench: Bench) -> Section:
    """Whole purchases: hold, order, pay, tickets issued, rendered and mailed."""
    section = Section("purchase", f"{BUYERS} buyers: hold, order, pay; then tickets issued, rendered, mailed.")
    issued, mailed, sent_away = list[float](), list[float](), list[float]()
    await warm_up(bench)
    for turn in range(bench.plan.rounds):
        bench.advance("purchases")
        on_sale = await put_on_sale(bench.house.database, bench.organizer)
        counts_from = now() + timedelta(seconds=FIRST_SECONDS)
        began = time.monotonic()
        visits = await sell(bench, on_sale, f"purchase-{turn}", FIRST_SECONDS + bench.plan.seconds)
        sent_away.append(visits.sent_away)
        await until(bench.house.database, on_sale, ISSUED, visits.done, ISSUED_SECONDS_MAX)
        issued.append(await issued_rate(bench.house.database, on_sale, counts_from, bench.plan.seconds))
        bench.advance("mails")
        await until(bench.house.database, on_sale, MAILED, visits.done, MAILED_SECONDS_MAX)
        mailed.append(visits.done / (time.monotonic() - began))
    section.figures += [
        figure("purchases up to issued", "/s", issued),
        figure("purchases up to mailed", "/s", mailed),
        figure("buyers told to come back", "", sent_away),
    ]
    section.ratios += [
        Ratio("purchases a second, up to issued", tuple(issued), PURCHASES_A_SECOND),
        Ratio("purchases a second, up to rendered and mailed", tuple(mailed), MAILS_A_SECOND),
    ]
    section.broken += await broken_promises(bench.house)
    return section


async def scan(bench: Bench) -> Section:
    """Scan tickets at the door that nobody has scanned yet, and then those again."""
    section = Section("scan", f"{TICKETS_TO_SCAN:,} tickets at the door each round, scanned once and then again.")
    on_sale = await put_on_sale(bench.house.database, bench.organizer)
    texts = await _tickets(bench, on_sale, WARM_UP_TICKETS + bench.plan.rounds * TICKETS_TO_SCAN)
    headers = (("authorization", f"Bearer {bench.organizer.scanner_key}"),)
    scans = [
        request(
            "POST",
            "/api/v1/tickets/validate",
            headers,
            json.dumps({"code": text, "session_id": str(on_sale.session_id)}).encode(),
        )
        for text in texts
    ]
    outcomes: Counter[str] = Counter()

    async def scan_some(begin: int, end: int) -> tuple[float, float]:
        """Scan some tickets, each once, and then again for a while; return how many of either a second."""
        some = scans[begin:end]
        async with bench.connected() as wires:
            first, found = await closed_loop(
                wires, SCANNED_SECONDS_MAX, lambda number: some[number], by_status, len(some)
            )
            again, known = await closed_loop(
                wires, bench.plan.warm_up_seconds, lambda number: some[number % len(some)], by_status
            )
        outcomes.update(found + known)
        return first, again

    await scan_some(0, WARM_UP_TICKETS)
    rates: list[tuple[float, float]] = []
    for begin in range(WARM_UP_TICKETS, len(scans), TICKETS_TO_SCAN):
        bench.advance("scans")
        rates.append(await scan_some(begin, begin + TICKETS_TO_SCAN))
    if set(outcomes) != {ACCEPTED}:
        section.broken.append(f"scans ended otherwise: {dict(outcomes)}")
    firsts, seconds = zip(*rates, strict=True)
    section.figures += [figure("first scans", "/s", firsts), figure("second scans", "/s", seconds)]
    section.ratios.append(Ratio("scans a second", firsts, SCANS_A_SECOND))
    section.broken += await _admitted_once(bench.house.database, on_sale, len(scans))
    section.broken += await broken_promises(bench.house)
    return section


async def _place(wires: Sequence[Wire], on_sale: OnSale, seconds: float, run: str) -> list[Placed]:
    placed: list[Placed] = []

    async def visit(wire: Wire, number: int) -> None:
        kept = await hold(wire, on_sale, f"{run}-{number}", {"quantity": 1})
        if kept is not None:
            placed.append(await order(wire, kept))

    await visit_again(wires, seconds, visit)
    return placed


async def _tickets(bench: Bench, on_sale: OnSale, count: int) -> list[str]:
    """Sell so many tickets in large orders and return their codes, once all are mailed, as long before a door opens."""
    placed: list[Placed] = []
    async with bench.connected(VISITORS) as wires:
        bench.advance("selling tickets")

        async def buy(wire: Wire, number: int) -> None:
            kept = await hold(wire, on_sale, f"scan-{number}", {"quantity": PER_ORDER_MAX})
            assert kept is not None  # noqa: S101 (there is stock for millions)
            placed.append(await order(wire, kept))
            await pay(wire, placed[-1])

        await _for_each(wires, range(count // PER_ORDER_MAX), buy)
        await until(bench.house.database, on_sale, ISSUED, len(placed), ISSUED_SECONDS_MAX)
        bench.advance("mailing them")
        await until(bench.house.database, on_sale, MAILED, len(placed), MAILED_SECONDS_MAX)
        texts: list[str] = []

        async def read(wire: Wire, one: Placed) -> None:
            texts.extend(await codes(wire, one))

        await _for_each(wires, placed, read)
    return texts


async def _for_each(wires: Sequence[Wire], things: Iterable[T], act: Callable[[Wire, T], Awaitable[None]]) -> None:
    """Do something with each thing, one at a time over each connection."""
    waiting = iter(things)

    async def work(wire: Wire) -> None:
        for thing in waiting:
            while True:
                try:
                    await act(wire, thing)
                    break
                except ComeLater as told:
                    await asyncio.sleep(told.seconds)

    await asyncio.gather(*map(work, wires))


async def _admitted_once(pool: Pool, on_sale: OnSale, count: int) -> list[str]:
    """Say what is wrong unless so many tickets were admitted, each once."""
    async with transaction(pool, on_sale.organization_id) as conn:
        row = await conn.fetchrow(
            """
            SELECT count(*) AS entries, count(DISTINCT unit_id) AS units FROM admissions
            WHERE organization_id = $1 AND session_id = $2 AND direction = 'in'
            """,
            on_sale.organization_id,
            on_sale.session_id,
        )
    assert row is not None  # noqa: S101 (a count is one row)
    found = (row["entries"], row["units"])
    return [] if found == (count, count) else [f"{found[0]} entries with {found[1]} of {count} tickets"]
