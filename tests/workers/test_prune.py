"""What has done its duty is forgotten after its time; what has not, never."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from harness.sale import make_sale

from fullhouse.infra import prune
from fullhouse.reservations.prune_stock_changes import prune_stock_changes


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


async def test_changes_of_stock_are_forgotten_but_the_latest_and_sales_go_on(fresh_pool: Any) -> None:
    sale = await make_sale(fresh_pool)
    for _ in range(3):
        await sale.hold(1)
    assert await prune_stock_changes(fresh_pool) == 0
    await fresh_pool.execute("UPDATE stock_changes SET changed_at = changed_at - interval '2 hours'")

    assert await prune_stock_changes(fresh_pool) == 2
    assert await count(fresh_pool, "stock_changes") == 1

    other = await make_sale(fresh_pool)
    other.made = sale.made
    await other.hold(2)
    await sale.hold(1)
    assert await sale.stock() == (10, 6, 0, 0)
