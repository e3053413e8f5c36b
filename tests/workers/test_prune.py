"""What has done its duty is forgotten after its time; what has not, never."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from harness.sale import Sale, make_sale

from fullhouse.infra import prune, system
from fullhouse.infra.postgres import EVERY_ORGANIZATION, transaction
from fullhouse.orders.queries import find_ordered
from fullhouse.reservations import prune as prune_stock
from fullhouse.reservations.place_reservation import Placed
from fullhouse.reservations.release_reservation import release_reservation


async def count(pool: Any, table: str) -> int:
    return await pool.fetchval(f"SELECT count(*) FROM {table}")


INSERTS = {
    "outbox": """
        INSERT INTO outbox (organization_id, message_id, partition, key, type, version, data, sent_at)
        VALUES ($1, gen_random_uuid(), 0, $1, 'thing.happened', 1, '{}', clock_timestamp() - $2::interval)
    """,
    "inbox": "INSERT INTO inbox VALUES ($1, 'queue', gen_random_uuid(), clock_timestamp() - $2::interval)",
    "idempotency_keys": """
        INSERT INTO idempotency_keys
        VALUES ($1, 'orders', gen_random_uuid(), '', 201, '{}', clock_timestamp() - $2::interval)
    """,
    "dead_letters": """
        INSERT INTO dead_letters
        VALUES ($1, gen_random_uuid(), 'queue', $1, $1, '{}', 'no', 1, now(), clock_timestamp() - $2::interval,
                'discarded')
    """,
}


@pytest.mark.parametrize(
    ("table", "days", "run"),
    [
        ("outbox", prune.SENT_DAYS, prune.prune_outbox),
        ("inbox", prune.INBOX_DAYS, prune.prune_inbox),
        ("idempotency_keys", prune.IDEMPOTENCY_DAYS, prune.prune_idempotency_keys),
        ("dead_letters", prune.DEAD_LETTER_DAYS, prune.prune_dead_letters),
    ],
)
async def test_rows_past_their_time_are_deleted(
    fresh_pool: Any, table: str, days: int, run: Callable[[Any], Awaitable[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune, "BATCH_COUNT", 2)
    for age in [days * 24 + 1] * 5 + [days * 24 - 1] * 3:
        # A script takes no parameters of an interval type but as text.
        await fresh_pool.execute(INSERTS[table].replace("$2", f"'{age} hours'"), uuid4())

    assert await run(fresh_pool) == 5
    assert await count(fresh_pool, table) == 3
    assert await run(fresh_pool) == 0


async def test_message_that_was_not_sent_and_letter_that_waits_are_kept(fresh_pool: Any) -> None:
    for table in ("outbox", "dead_letters"):
        await fresh_pool.execute(INSERTS[table].replace("$2", "'1000 days'"), uuid4())
    await fresh_pool.execute("UPDATE outbox SET sent_at = NULL, occurred_at = occurred_at - interval '1000 days'")
    await fresh_pool.execute(
        "UPDATE dead_letters SET resolved_at = NULL, resolution = NULL, failed_at = failed_at - interval '1000 days'"
    )
    assert await prune.prune_outbox(fresh_pool) == await prune.prune_dead_letters(fresh_pool) == 0
    assert (await count(fresh_pool, "outbox"), await count(fresh_pool, "dead_letters")) == (1, 1)


async def test_origins_of_old_entries_are_forgotten_where_a_setting_says_so(fresh_pool: Any) -> None:
    for position, days in enumerate([11, 12, 9]):
        await fresh_pool.execute(
            """
            INSERT INTO audit_origins
            VALUES ($1, $2, '', '192.0.2.1', '', clock_timestamp() - make_interval(days => $3))
            """,
            uuid4(),
            position,
            days,
        )
    assert await prune.prune_audit_origins(fresh_pool, 0) == 0
    assert await prune.prune_audit_origins(fresh_pool, 10) == 2
    assert await count(fresh_pool, "audit_origins") == 1


async def test_changes_of_stock_are_forgotten_but_the_latest_and_sales_go_on(fresh_pool: Any) -> None:
    sale = await make_sale(fresh_pool)
    for _ in range(3):
        await sale.hold(1)
    assert await prune_stock.prune_stock_changes(fresh_pool) == 0
    await fresh_pool.execute("UPDATE stock_changes SET changed_at = changed_at - interval '2 hours'")

    assert await prune_stock.prune_stock_changes(fresh_pool) == 2
    assert await count(fresh_pool, "stock_changes") == 1

    other = await make_sale(fresh_pool)
    other.made = sale.made
    await other.hold(2)
    await sale.hold(1)
    assert await sale.stock() == (10, 6, 0, 0)


async def end_long_ago(pool: Any, days: int, *placed: Placed) -> None:
    """Let reservations have expired so many days ago."""
    await pool.execute(
        """
        UPDATE reservations SET status = 'expired', ended_at = clock_timestamp() - make_interval(days => $1)
        WHERE reservation_id = ANY ($2)
        """,
        days,
        [one.reservation.reservation_id for one in placed],
    )


async def test_holds_that_came_to_nothing_are_forgotten_and_no_others(
    fresh_pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune_stock, "BATCH_COUNT", 2)
    sale = await make_sale(fresh_pool, capacity=100)
    ordered = await sale.hold(1)
    await sale.order(1, ordered)
    dropped = [await sale.hold(1) for _ in range(5)]
    recent, held = await sale.hold(1), await sale.hold(1)
    # The one with an order is the oldest, so that it comes first and is passed over.
    await end_long_ago(fresh_pool, 400, ordered)
    await end_long_ago(fresh_pool, prune_stock.ENDED_KEPT_DAYS + 1, *dropped)
    await end_long_ago(fresh_pool, prune_stock.ENDED_KEPT_DAYS - 1, recent)

    assert await prune_stock.prune_reservations(fresh_pool, find_ordered) == 5
    left = await fresh_pool.fetch("SELECT reservation_id FROM reservations")
    assert {row["reservation_id"] for row in left} == {
        one.reservation.reservation_id for one in (ordered, recent, held)
    }
    assert await prune_stock.prune_reservations(fresh_pool, find_ordered) == 0


async def prune_everything(pool: Any, seen: prune_stock.Seen | None = None) -> list[int]:
    return [
        await prune_stock.prune_reservations(pool, find_ordered, seen),
        await prune_stock.prune_stock_changes(pool),
        await prune.prune_outbox(pool),
        await prune.prune_inbox(pool),
        await prune.prune_idempotency_keys(pool),
    ]


async def make_everything_old(sale: Sale) -> None:
    """Leave rows behind that are past their time, of a session that is on sale."""
    pool: Any = sale.pool
    dropped = [await sale.hold(1) for _ in range(3)]
    await end_long_ago(pool, 400, *dropped)
    await pool.execute("UPDATE outbox SET sent_at = clock_timestamp() - interval '1000 days'")
    await pool.execute("UPDATE stock_changes SET changed_at = changed_at - interval '2 hours'")
    for table in ("inbox", "idempotency_keys"):
        await pool.execute(INSERTS[table].replace("$2", "'1000 days'"), sale.made.organization_id)


async def test_sales_go_on_while_everything_is_pruned(fresh_pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deletions are not committed until sales were made: one that waited for another would wait for ever."""
    sale = await make_sale(fresh_pool, capacity=100)
    await make_everything_old(sale)
    async with transaction(fresh_pool, EVERY_ORGANIZATION) as pruning:

        @asynccontextmanager
        async def same(_pool: object, _whose: object) -> AsyncGenerator[Any]:
            yield pruning

        for module in (prune, prune_stock):
            monkeypatch.setattr(module, "connection", same)
        assert await prune_everything(fresh_pool) == [3, 2, 3, 1, 1]
        async with asyncio.timeout(60):
            placed = await sale.order(2)
            await sale.pay(placed.order.order_id)
            await sale.hold(1)
            async with transaction(fresh_pool, sale.made.organization_id) as conn:
                ended = (await sale.hold(1)).reservation.reservation_id
                assert await release_reservation(conn, system.make_id, sale.made.organization_id, ended)


async def test_everything_is_pruned_while_a_sale_is_in_the_middle(fresh_pool: Any) -> None:
    """The sale has locked its stock, written, and not committed."""
    sale = await make_sale(fresh_pool, capacity=100)
    placed = await sale.hold(1)
    await make_everything_old(sale)
    async with transaction(fresh_pool, sale.made.organization_id) as conn:
        ended = placed.reservation.reservation_id
        await release_reservation(conn, system.make_id, sale.made.organization_id, ended)
        async with asyncio.timeout(60):
            assert await prune_everything(fresh_pool) == [3, 3, 4, 1, 1]
    assert await sale.stock() == (100, 3, 0, 0)


async def test_backlog_of_many_batches_is_gone_after_one_run(fresh_pool: Any) -> None:
    await fresh_pool.execute(
        """
        INSERT INTO inbox SELECT $1, 'queue', gen_random_uuid(), clock_timestamp() - interval '1000 days'
        FROM generate_series(1, $2)
        """,
        uuid4(),
        120_000,
    )
    assert await prune.prune_inbox(fresh_pool) == 120_000
    assert await count(fresh_pool, "inbox") == 0


async def test_run_whose_time_is_over_leaves_the_rest_to_the_next(
    fresh_pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune, "BATCH_COUNT", 2)
    monkeypatch.setattr(prune, "RUN_SECONDS_MAX", 0.0)
    for _ in range(5):
        await fresh_pool.execute(INSERTS["inbox"].replace("$2", "'1000 days'"), uuid4())
    assert [await prune.prune_inbox(fresh_pool) for _ in range(4)] == [2, 2, 1, 0]


async def test_run_that_is_cut_leaves_what_it_did(fresh_pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prune, "BATCH_COUNT", 2)
    resting = asyncio.Event()

    async def rest(_seconds: float) -> None:
        resting.set()
        await asyncio.Event().wait()

    for _ in range(5):
        await fresh_pool.execute(INSERTS["inbox"].replace("$2", "'1000 days'"), uuid4())
    monkeypatch.setattr(prune, "_pause", rest)
    run = asyncio.create_task(prune.prune_inbox(fresh_pool))
    async with asyncio.timeout(60):
        await resting.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert await count(fresh_pool, "inbox") == 3


@pytest.mark.parametrize("table", ["outbox", "inbox", "idempotency_keys", "stock_changes", "reservations"])
async def test_row_that_somebody_locked_is_passed_over_and_pruned_later(fresh_pool: Any, table: str) -> None:
    sale = await make_sale(fresh_pool, capacity=100)
    await make_everything_old(sale)
    seen = prune_stock.Seen()
    lock = {
        "reservations": "SELECT reservation_id AS id FROM reservations ORDER BY ended_at LIMIT 1 FOR UPDATE",
        "stock_changes": "SELECT version AS id FROM stock_changes ORDER BY version LIMIT 1 FOR UPDATE",
    }.get(table, f"SELECT ctid AS id FROM {table} LIMIT 1 FOR UPDATE")
    async with transaction(fresh_pool, EVERY_ORGANIZATION) as conn:
        holder: Any = conn
        await holder.fetch(lock)
        async with asyncio.timeout(20):
            await prune_everything(fresh_pool, seen)
        assert await count(fresh_pool, table) == (2 if table == "stock_changes" else 1)
    assert sum(await prune_everything(fresh_pool, seen)) == 1
    assert await count(fresh_pool, table) == (1 if table == "stock_changes" else 0)


async def test_reservations_that_are_needed_are_looked_at_once(fresh_pool: Any) -> None:
    sale = await make_sale(fresh_pool, capacity=100)
    ordered = await sale.hold(1)
    await sale.order(1, ordered)
    await end_long_ago(fresh_pool, 400, ordered)
    looked: list[int] = []

    async def find(conn: Any, found: Any) -> set[Any]:
        looked.append(len(found))
        return await find_ordered(conn, found)

    seen = prune_stock.Seen()
    assert await prune_stock.prune_reservations(fresh_pool, find, seen) == 0
    dropped = await sale.hold(1)
    await end_long_ago(fresh_pool, 300, dropped)
    assert await prune_stock.prune_reservations(fresh_pool, find, seen) == 1
    assert looked == [1, 1]
