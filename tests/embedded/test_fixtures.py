"""The fixtures give what the other tests build on."""

import asyncpg
from valkey.asyncio import Valkey

from fullhouse.infra.migrate import migrations_folder, revisions
from fullhouse.infra.postgres import Pool


async def test_shared_database_is_migrated(pool: Pool) -> None:
    assert await pool.fetchval("SELECT version_num FROM alembic_version") == revisions(migrations_folder())[-1]


async def test_fresh_database_is_migrated_and_apart(fresh_pool: Pool, pool: Pool) -> None:
    await fresh_pool.execute("CREATE TABLE only_here (id int)")
    assert await fresh_pool.fetchval("SELECT count(*) FROM outbox") == 0
    assert await pool.fetchval("SELECT to_regclass('only_here')") is None


async def test_empty_database_has_no_tables(empty_database: str) -> None:
    conn = await asyncpg.connect(empty_database)
    try:
        assert await conn.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    finally:
        await conn.close()


async def test_valkey_client_answers_in_bytes(valkey: Valkey) -> None:
    await valkey.set("key", "value")
    assert await valkey.get("key") == b"value"
