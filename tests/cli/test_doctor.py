"""Doctor names what is there, and what is wrong with each part, without stumbling over any of them."""

import dataclasses
import re
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from fullhouse.infra import system
from fullhouse.infra.migrate import migrations_folder, revisions
from fullhouse.infra.resources import Places
from fullhouse.operations.doctor import Finding, examine


@pytest.fixture
def places(database_url: str, valkey_url: str, tmp_path: Path) -> Places:
    return Places(
        database_url=database_url,
        valkey_url=valkey_url,
        broker_url="postgres",
        object_store_url=str(tmp_path / "objects"),
        mail_url=str(tmp_path / "mailbox"),
        mail_from="Casa do Choro <tickets@example.org>",
        secret_key=b"k" * 32,
        public_url="http://127.0.0.1:8000",
    )


async def look(places: Places, folder: Path) -> dict[str, Finding]:
    return {finding.part: finding for finding in await examine(places, folder, system.now)}


async def run_sql(url: str, statement: str) -> None:
    conn = await asyncpg.connect(url)
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


async def test_healthy_parts_are_named_with_their_versions(places: Places, tmp_path: Path) -> None:
    found = await look(places, tmp_path)
    assert list(found) == ["database", "valkey", "object store", "mail", "queues", "data folder"]
    for part in ("valkey", "object store", "mail", "data folder"):
        assert found[part].is_well, found[part].detail
    assert found["valkey"].detail.split()[0] in {"Valkey", "Redis"}
    assert found["object store"].detail == str(tmp_path / "objects")


async def test_fast_test_server_is_told_from_a_durable_one(places: Places, tmp_path: Path) -> None:
    conn = await asyncpg.connect(places.database_url)
    durable = await conn.fetchval("SELECT current_setting('fsync') = 'on'")
    await conn.close()
    found = (await look(places, tmp_path))["database"]
    assert found.is_well is durable
    assert ("up to date" if durable else "fsync off") in found.detail


async def test_missing_revision_is_named(places: Places, empty_database: str, tmp_path: Path) -> None:
    found = (await look(dataclasses.replace(places, database_url=empty_database), tmp_path))["database"]
    assert not found.is_well
    assert found.detail.endswith(f"lacks revision {', '.join(revisions(migrations_folder()))}; run 'fullhouse migrate'")


async def test_database_of_a_newer_version_is_named(places: Places, fresh_database: str, tmp_path: Path) -> None:
    await run_sql(fresh_database, "UPDATE alembic_version SET version_num = 'from_the_future'")
    found = (await look(dataclasses.replace(places, database_url=fresh_database), tmp_path))["database"]
    assert not found.is_well
    assert "from_the_future" in found.detail


async def test_clock_that_differs_is_named(places: Places, tmp_path: Path) -> None:
    def late() -> datetime:
        return system.now() - timedelta(hours=1)

    found = await examine(places, tmp_path, late)
    assert not found[0].is_well
    assert found[0].detail.endswith("differs by 3600 s from the one here")


async def test_parts_that_are_away_are_each_one_line(places: Places, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="ascii")
    away = dataclasses.replace(
        places,
        database_url="postgresql://fullhouse@127.0.0.1:1/fullhouse",
        valkey_url="valkey://127.0.0.1:1/0",
        object_store_url=str(tmp_path / "file" / "objects"),
        mail_url="smtp://127.0.0.1:1",
    )
    found = await look(away, tmp_path / "file" / "data")
    for finding in found.values():
        assert not finding.is_well, finding
        assert finding.detail
        assert "\n" not in finding.detail


async def test_queue_that_is_not_worked_off_is_named_with_its_depth_and_age(
    places: Places, fresh_database: str, tmp_path: Path
) -> None:
    here = dataclasses.replace(places, database_url=fresh_database)
    assert (await look(here, tmp_path))["queues"] == Finding("queues", is_well=True, detail="nothing waits")

    await run_sql(
        fresh_database,
        """
        INSERT INTO broker_messages (queue, organization_id, message_id, key, body, enqueued_at)
        SELECT 'tickets.issue', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), '{}',
               clock_timestamp() - interval '5 minutes' FROM generate_series(1, 3)
        """,
    )
    found = (await look(here, tmp_path))["queues"]
    assert found.is_well
    assert re.fullmatch(r"waiting: tickets\.issue 3 \(oldest 3\d\d s\)", found.detail)

    await run_sql(fresh_database, "UPDATE broker_messages SET enqueued_at = enqueued_at - interval '1 hour'")
    found = (await look(here, tmp_path))["queues"]
    assert (found.is_well, "does 'fullhouse worker' run?" in found.detail) == (False, True)


async def test_parked_message_is_a_finding(places: Places, fresh_database: str, tmp_path: Path) -> None:
    await run_sql(
        fresh_database,
        """
        INSERT INTO outbox (organization_id, message_id, partition, key, type, version, data, retry_at, attempts)
        VALUES (gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), 'thing.happened', 1, '{}', 'infinity', 8)
        """,
    )
    found = (await look(dataclasses.replace(places, database_url=fresh_database), tmp_path))["queues"]
    assert (found.is_well, found.detail) == (
        False,
        "1 messages are parked; see 'fullhouse dead-letters list --queue outbox'",
    )


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("ALTER TABLE orders NO FORCE ROW LEVEL SECURITY", "not on orders"),
        ("ALTER TABLE orders DISABLE ROW LEVEL SECURITY; ALTER TABLE units DISABLE ROW LEVEL SECURITY",
         "not on orders, units"),
    ],
)  # fmt: skip
async def test_tables_without_row_level_security_are_named(
    places: Places, fresh_database: str, tmp_path: Path, statement: str, why: str
) -> None:
    await run_sql(fresh_database, statement)
    found = (await look(dataclasses.replace(places, database_url=fresh_database), tmp_path))["database"]
    assert not found.is_well
    assert found.detail == f"no row level security: {why}; see docs/how-to/separate-database-roles.md"


@pytest.mark.parametrize(
    ("makes", "why"),
    [
        ("GRANT fullhouse_worker TO {name}", "{name} crosses organizations"),
        ("ALTER ROLE {name} BYPASSRLS; GRANT SELECT ON alembic_version TO {name}",
         "{name} passes it, and may not work as fullhouse_app"),
    ],
)  # fmt: skip
async def test_a_sign_in_that_row_level_security_does_not_hold_is_named(
    places: Places, fresh_database: str, tmp_path: Path, makes: str, why: str
) -> None:
    name = f"sign_in_{uuid4().hex[:12]}"
    await run_sql(
        fresh_database, f"CREATE ROLE {name} LOGIN INHERIT PASSWORD 'not a secret'; {makes.format(name=name)}"
    )
    try:
        url = f"postgresql://{name}:not%20a%20secret@{fresh_database.partition('@')[2]}"
        found = (await look(dataclasses.replace(places, database_url=url), tmp_path))["database"]
        assert not found.is_well
        assert found.detail.startswith(f"no row level security: {why.format(name=name)}; see")
    finally:
        await run_sql(fresh_database, f"DROP OWNED BY {name}; DROP ROLE {name}")
