"""A database that has gone is a passing trouble, whichever way it went."""

import pytest

from fullhouse.infra.postgres import DatabaseUnavailable, Pool, connection, open_pool, transaction


@pytest.mark.parametrize(
    "url", ["postgresql:///fullhouse?host=/nowhere", "postgresql://127.0.0.1:1/fullhouse?user=fullhouse"]
)
async def test_a_server_that_is_not_there_is_unavailable(url: str) -> None:
    pool = await open_pool(url, size_min=0, size_max=1)
    for borrow in (connection, transaction):
        with pytest.raises(DatabaseUnavailable) as refused:
            async with borrow(pool) as conn:
                await conn.fetchval("SELECT 1")
        assert refused.value.fields == {"retry_after_seconds": 1}
    await pool.close()


async def test_a_connection_that_was_cut_is_unavailable_and_the_next_works(pool: Pool) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with connection(pool) as conn:
            await conn.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")
    async with connection(pool) as conn:
        assert await conn.fetchval("SELECT 1") == 1
