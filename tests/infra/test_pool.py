"""A connection that was given back in order is lent again as it is, and none is lent that should not be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from fullhouse.infra.postgres import NO_ORGANIZATION, DatabaseUnavailable, Pool, connection, open_pool, transaction


@pytest.fixture
async def two(database_url: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database_url, size_max=2)
    yield pool
    await pool.close()


async def server_process(pool: Pool) -> int:
    async with connection(pool, NO_ORGANIZATION) as conn:
        return await conn.fetchval("SELECT pg_backend_pid()")


async def too_slow(pool: Pool) -> None:
    async with transaction(pool, NO_ORGANIZATION, "SET LOCAL statement_timeout = 1") as conn:
        await conn.execute("SELECT pg_sleep(1)")


async def gone(conn: Any) -> None:
    """Wait until the driver has noticed that a connection was cut."""
    with suppress(asyncpg.InterfaceError):
        async with asyncio.timeout(10):
            while not conn.is_closed():  # noqa: ASYNC110 (nothing tells us)
                await asyncio.sleep(0.01)


async def test_the_next_borrower_gets_the_same_connection(two: Pool) -> None:
    assert await server_process(two) == await server_process(two)
    assert (two.get_size(), two.get_idle_size()) == (1, 1)


async def test_one_that_was_cut_while_nobody_had_it_is_not_lent(two: Pool, pool: Pool) -> None:
    before = await server_process(two)
    (kept,) = two.kept
    await pool.execute("SELECT pg_terminate_backend($1)", before)
    await gone(kept)
    assert await server_process(two) != before


async def test_who_waits_gets_what_is_given_back(two: Pool) -> None:
    async with connection(two, NO_ORGANIZATION), connection(two, NO_ORGANIZATION):
        waits = asyncio.create_task(server_process(two))
        while not two.waiting_count:  # noqa: ASYNC110 (nothing tells us)
            await asyncio.sleep(0)
    assert await waits
    assert two.waiting_count == 0


async def test_after_trouble_the_driver_looks_after_it(two: Pool) -> None:
    with pytest.raises(DatabaseUnavailable):
        await too_slow(two)
    assert two.kept == []
    assert await server_process(two)


async def test_what_was_open_before_all_expired_is_not_lent_again(two: Pool) -> None:
    before = await server_process(two)
    async with connection(two, NO_ORGANIZATION) as conn:
        await two.expire_connections()
        assert await conn.fetchval("SELECT pg_backend_pid()") == before
    after = await server_process(two)
    assert after != before
    await two.expire_connections()
    assert await server_process(two) not in {before, after}


async def test_a_transaction_that_was_left_open_is_rolled_back(two: Pool) -> None:
    async with connection(two, NO_ORGANIZATION) as conn:
        await conn.execute("BEGIN; SET LOCAL application_name = 'left open'")
    async with connection(two, NO_ORGANIZATION) as conn:
        assert await conn.fetchval("SHOW application_name") == "fullhouse"


async def test_a_pool_closes_what_is_lent_when_it_is_given_back(database_url: str) -> None:
    pool = await open_pool(database_url, size_max=2)
    async with connection(pool, NO_ORGANIZATION) as conn:
        closing = asyncio.create_task(pool.close())
        await asyncio.sleep(0)
        assert await conn.fetchval("SELECT 1") == 1
        assert not closing.done()
    await closing
    with pytest.raises(DatabaseUnavailable):
        await server_process(pool)


async def test_every_connection_knows_the_types_of_postgres_once_one_has_asked(
    two: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    ask = asyncpg.Connection._introspect_types  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]

    async def counting(conn: asyncpg.Connection, typeoids: Any, timeout: Any) -> Any:  # noqa: ASYNC109 (the driver's)
        asked.append(typeoids)
        return await ask(conn, typeoids, timeout)

    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", counting)
    async with connection(two, NO_ORGANIZATION) as one, connection(two, NO_ORGANIZATION) as other:
        # Of all types a seldom one, so that no test has asked about it in this process.
        query = "SELECT $1::macaddr8[]"
        assert await one.fetchval(query, ["01:02:03:04:05:06:07:08"]) == ["01:02:03:04:05:06:07:08"]
        assert await other.fetchval(query, ["08:07:06:05:04:03:02:01"]) == ["08:07:06:05:04:03:02:01"]
        assert len(asked) == 1
        # A type of a database is another one in the next.
        await one.execute("CREATE TYPE pg_temp.mood AS ENUM ('glad')")
        assert await one.fetchval("SELECT 'glad'::pg_temp.mood") == "glad"
        assert len(asked) == 2
        await one.execute("DROP TYPE pg_temp.mood")
        await one.execute("CREATE TYPE pg_temp.mood AS ENUM ('glad')")
        assert await one.fetchval("SELECT ARRAY['glad'::pg_temp.mood]") == ["glad"]
        assert len(asked) == 3


async def test_who_wants_the_same_rows_gets_the_connection_that_stands_for_them(two: Pool) -> None:
    one, other = uuid4(), uuid4()

    async def process_of(whose: UUID) -> int:
        async with connection(two, whose) as conn:
            return await conn.fetchval("SELECT pg_backend_pid()")

    async with connection(two, one) as first, connection(two, other) as second:
        mine, theirs = await first.fetchval("SELECT pg_backend_pid()"), await second.fetchval("SELECT pg_backend_pid()")
    assert mine != theirs
    for _ in range(2):
        assert await process_of(other) == theirs
        assert await process_of(one) == mine
        async with transaction(two, one) as conn:
            assert await conn.fetchval("SELECT pg_backend_pid()") == mine
    # Where nobody's connection is free that stands for them, any is told anew.
    async with connection(two, one):
        assert await process_of(one) == theirs
