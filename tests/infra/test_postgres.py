"""A database that has gone is a passing trouble, whichever way it went; and nobody inherits an organization."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from fullhouse.infra.postgres import (
    EVERY_ORGANIZATION,
    NO_ORGANIZATION,
    Connection,
    DatabaseUnavailable,
    OfUser,
    Pool,
    Whose,
    connection,
    open_pool,
    transaction,
)


@pytest.mark.parametrize(
    "url", ["postgresql:///fullhouse?host=/nowhere", "postgresql://127.0.0.1:1/fullhouse?user=fullhouse"]
)
async def test_a_server_that_is_not_there_is_unavailable(url: str) -> None:
    pool = await open_pool(url, size_min=0, size_max=1)
    for borrow in (connection, transaction):
        with pytest.raises(DatabaseUnavailable) as refused:
            async with borrow(pool, NO_ORGANIZATION) as conn:
                await conn.fetchval("SELECT 1")
        assert refused.value.fields == {"retry_after_seconds": 1}
    await pool.close()


async def test_a_connection_that_was_cut_is_unavailable_and_the_next_works(pool: Pool) -> None:
    with pytest.raises(DatabaseUnavailable):
        await lose_its_connection(pool)
    async with connection(pool, NO_ORGANIZATION) as conn:
        assert await conn.fetchval("SELECT 1") == 1


async def lose_its_connection(pool: Pool) -> None:
    async with connection(pool, NO_ORGANIZATION) as conn:
        await pool.execute("SELECT pg_terminate_backend($1)", await conn.fetchval("SELECT pg_backend_pid()"))
        await conn.fetchval("SELECT 1")


@pytest.fixture(params=[False, True], ids=["direct", "behind a pooler"])
async def one(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Pool]:
    """Open a pool of one connection, so that each borrower gets what the one before left."""
    pool = await open_pool(database_url, size_max=1, pooler=request.param)
    yield pool
    await pool.close()


async def set_up_for(conn: Connection) -> tuple[str, str]:
    row = await conn.fetchrow(
        """
        SELECT coalesce(current_setting('fullhouse.organization_id', true), '') AS organization_id,
               coalesce(current_setting('fullhouse.user_id', true), '') AS user_id
        """
    )
    assert row is not None
    return row["organization_id"], row["user_id"]


def expected(whose: Whose) -> tuple[str, str]:
    return str(whose) if isinstance(whose, UUID) else "", str(whose.user_id) if isinstance(whose, OfUser) else ""


async def test_each_borrower_gets_what_it_asked_for_whoever_came_before(one: Pool) -> None:
    asked: list[Whose] = [uuid4(), uuid4(), NO_ORGANIZATION, EVERY_ORGANIZATION, OfUser(uuid4())]
    for before in asked:
        for borrow_before in (connection, transaction):
            for whose in asked:
                for borrow in (connection, transaction):
                    async with borrow_before(one, before) as conn:
                        await conn.execute("SELECT 1")
                    async with borrow(one, whose) as conn:
                        assert await set_up_for(conn) == expected(whose), (before, whose)


async def test_what_is_undone_or_broken_off_leaves_no_organization_behind(one: Pool) -> None:
    first, second = uuid4(), uuid4()
    async with connection(one, first) as conn:
        assert await set_up_for(conn) == expected(first)
    with pytest.raises(ZeroDivisionError):
        async with transaction(one, second) as conn:
            raise ZeroDivisionError
    sleeping = asyncio.create_task(sleep_for(one, second))
    await asyncio.sleep(0)
    sleeping.cancel()
    await asyncio.gather(sleeping, return_exceptions=True)
    for whose in (NO_ORGANIZATION, first, second):
        async with connection(one, whose) as conn:
            assert await set_up_for(conn) == expected(whose)


async def sleep_for(pool: Pool, whose: Whose) -> None:
    async with connection(pool, whose) as conn:
        await conn.execute("SELECT pg_sleep(60)")


async def test_a_block_may_choose_its_isolation_level(one: Pool) -> None:
    async with transaction(one, uuid4()) as conn:
        await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        assert await conn.fetchval("SELECT current_setting('transaction_isolation')") == "repeatable read"
