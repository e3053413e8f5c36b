"""Migrating: once, though several ask at once; whole or not at all; with one clear line where it cannot be done."""

import asyncio
import shutil
from pathlib import Path

import asyncpg
import pytest
from alembic.script import ScriptDirectory

from fullhouse.infra import run_alembic
from fullhouse.infra.migrate import (
    MigrationError,
    migrate,
    migrations_folder,
    missing_revisions,
    require_schema,
    revisions,
)
from fullhouse.infra.postgres import open_pool

ALL = sorted(path.stem.split("_")[0] for path in (migrations_folder() / "versions").glob("*.sql"))

UNKNOWN = r"^the database has revision from_the_future, which this version of Fullhouse does not know$"

REVISION = """
from fullhouse.infra.run_alembic import run_sql_beside
revision = "9999"
down_revision = "{after}"
def upgrade() -> None:
    run_sql_beside(__file__)
"""


def copy_with_next(folder: Path, sql: str) -> Path:
    """Use a copy of the migrations with one more, as if a new version of the program had come."""
    shutil.copytree(migrations_folder(), folder)
    (folder / "versions" / "9999_next.py").write_text(REVISION.format(after=ALL[-1]), encoding="utf-8")
    (folder / "versions" / "9999_next.sql").write_text(sql, encoding="utf-8")
    return folder


async def fetchval(url: str, query: str) -> object:
    conn = await asyncpg.connect(url)
    try:
        return await conn.fetchval(query)
    finally:
        await conn.close()


def test_revisions_are_called_as_their_files_are() -> None:
    scripts = ScriptDirectory(migrations_folder())
    assert [script.revision for script in scripts.walk_revisions()][::-1] == revisions(migrations_folder())


async def test_five_at_once_run_each_revision_once(empty_database: str) -> None:
    ran = await asyncio.gather(*(migrate(empty_database) for _ in range(5)))
    assert sorted(ran) == [[], [], [], [], ALL]


async def test_revisions_that_are_missing_are_named(fresh_database: str, empty_database: str) -> None:
    for url, missing in ((fresh_database, []), (empty_database, ALL)):
        conn = await asyncpg.connect(url)
        try:
            assert await missing_revisions(conn) == missing
        finally:
            await conn.close()


async def test_only_what_is_new_runs(fresh_database: str, tmp_path: Path) -> None:
    folder = copy_with_next(tmp_path / "100%", "CREATE TABLE next_one (id int); INSERT INTO next_one VALUES (1);")
    assert await migrate(fresh_database, folder) == ["9999"]
    assert await fetchval(fresh_database, "SELECT id FROM next_one") == 1


async def test_failed_migration_leaves_nothing(fresh_database: str, tmp_path: Path) -> None:
    folder = copy_with_next(tmp_path / "next", "CREATE TABLE next_one (id int);\nSELECT 1 / 0;\n")
    with pytest.raises(MigrationError, match=r"^the database was not migrated: division by zero$"):
        await migrate(fresh_database, folder)
    assert await fetchval(fresh_database, "SELECT to_regclass('next_one')") is None
    assert await fetchval(fresh_database, "SELECT version_num FROM alembic_version") == ALL[-1]


async def test_migration_gives_up_on_a_table_in_use(
    fresh_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_alembic, "LOCK_SECONDS_MAX", 1)
    folder = copy_with_next(tmp_path / "next", "ALTER TABLE outbox ADD COLUMN next_one int;")
    reader = await asyncpg.connect(fresh_database)
    try:
        async with reader.transaction():
            await reader.execute("SELECT count(*) FROM outbox")
            with pytest.raises(MigrationError, match="lock timeout"):
                await migrate(fresh_database, folder)
    finally:
        await reader.close()
    assert await migrate(fresh_database, folder) == ["9999"]


async def test_newer_database_is_refused(fresh_database: str) -> None:
    conn = await asyncpg.connect(fresh_database)
    try:
        await conn.execute("UPDATE alembic_version SET version_num = 'from_the_future'")
        with pytest.raises(
            MigrationError,
            match=UNKNOWN,
        ):
            await missing_revisions(conn)
    finally:
        await conn.close()
    with pytest.raises(
        MigrationError,
        match=UNKNOWN,
    ):
        await migrate(fresh_database)


async def test_database_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MigrationError) as refused:
        await migrate(f"postgresql://fullhouse@/fullhouse?host={tmp_path}")
    assert "\n" not in str(refused.value)


async def test_program_starts_on_its_own_schema_and_on_a_newer_one(fresh_database: str, tmp_path: Path) -> None:
    pool = await open_pool(fresh_database, size_max=1)
    try:
        await require_schema(pool)
        await migrate(fresh_database, copy_with_next(tmp_path / "migrations", "CREATE TABLE next_things (id int)"))
        await require_schema(pool)
    finally:
        await pool.close()


async def test_program_does_not_start_on_an_empty_database(empty_database: str) -> None:
    pool = await open_pool(empty_database, size_max=1)
    try:
        with pytest.raises(MigrationError, match=r"^the database lacks revision 0001; run 'fullhouse migrate'$"):
            await require_schema(pool)
    finally:
        await pool.close()
