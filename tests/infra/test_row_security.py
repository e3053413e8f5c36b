"""Row level security: every table of an organization has it, and a statement without a WHERE stays inside one."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from harness.pools import open_owners_pool
from harness.sold import sell

from fullhouse.infra.migrate import migrate, migrations_folder
from fullhouse.infra.postgres import (
    EVERY_ORGANIZATION,
    NO_ORGANIZATION,
    OfUser,
    Pool,
    connection,
    open_pool,
    transaction,
)
from fullhouse.infra.row_security import APP_ROLE, WORKER_ROLE, MayNotCross, Standing

TABLES = """
SELECT c.relname AS name, c.oid, c.relrowsecurity AND c.relforcerowsecurity AS is_guarded,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'organization_id'
               AND NOT a.attisdropped) AS is_organizations,
       array(SELECT format('%s %s %s', p.polname, p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid))
             FROM pg_policy p WHERE p.polrelid = c.oid ORDER BY p.polname) AS policies,
       array(SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid ORDER BY p.polname) AS names,
       has_table_privilege('fullhouse_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE') AS app_reaches,
       has_table_privilege('fullhouse_worker', c.oid, 'SELECT, INSERT, UPDATE, DELETE') AS worker_reaches
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1
"""
OWN = (
    "own_organization {-} "
    "(organization_id = (NULLIF(current_setting('fullhouse.organization_id'::text, true), ''::text))::uuid)"
)
EVERY = "every_organization {fullhouse_worker} true"
MORE_POLICIES = {
    "directory": ["anybody"],
    "events": ["published_to_anybody"],
    "members": ["own_memberships"],
    "order_emails": ["found_by_anybody"],
    "organizations": ["own_memberships"],
}
WORKERS_ALONE = {"outbox_leases"}
ADDED_TO = {"admissions", "audit_entries", "audit_links", "ledger_entries", "receipts"}

UNLISTED = """
No role of the program reaches {table}: it has no organization_id, so nothing is assumed about it. Say in
migrations/row_security.sql, in the list of wanted_rights, what the roles may do with it, such as
    ('{table}', '{{SELECT,INSERT,UPDATE,DELETE}}', '{{SELECT,INSERT,UPDATE,DELETE}}'),
"""
UNGUARDED = """
{table} has organization_id, and not the row security of its kind. The script migrations/row_security.sql, which
'fullhouse migrate' runs, gives it to every such table; look what became of these lines for {table}:
    ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY own_organization ON {table} USING (organization_id = …);
    CREATE POLICY every_organization ON {table} TO fullhouse_worker USING (true);
"""


async def test_every_table_is_guarded_and_reached_by_the_roles(pool: Pool) -> None:
    rows = await pool.fetch(TABLES)
    assert len([row for row in rows if row["is_organizations"]]) > 35
    for row in rows:
        table = row["name"]
        assert row["worker_reaches"], UNLISTED.format(table=table)
        assert row["app_reaches"] is (table not in WORKERS_ALONE), UNLISTED.format(table=table)
        if row["is_organizations"]:
            assert row["is_guarded"], UNGUARDED.format(table=table)
            assert {OWN, EVERY} <= set(row["policies"]), UNGUARDED.format(table=table)
        more = sorted(set(row["names"]) - {"own_organization", "every_organization"})
        assert more == MORE_POLICIES.get(table, []), f"{table}: a policy that shows more is named, with its reason"


async def test_a_table_that_comes_later_is_guarded_by_the_next_migrate(fresh_database: str, fresh_pool: Pool) -> None:
    await fresh_pool.execute("CREATE TABLE later (organization_id uuid, id int); CREATE TABLE shared (id int)")
    await migrate(fresh_database)
    rows = {row["name"]: row for row in await fresh_pool.fetch(TABLES)}
    assert (rows["later"]["is_guarded"], rows["later"]["policies"]) == (True, [EVERY, OWN])
    assert rows["later"]["app_reaches"]
    assert (rows["shared"]["app_reaches"], rows["shared"]["worker_reaches"]) == (False, False)


async def test_rights_that_were_given_or_taken_by_hand_are_put_right(fresh_database: str, fresh_pool: Pool) -> None:
    before = await fresh_pool.fetch(TABLES)
    await fresh_pool.execute(
        """
        GRANT UPDATE ON ledger_entries TO fullhouse_app; REVOKE SELECT ON orders FROM fullhouse_worker;
        ALTER TABLE orders NO FORCE ROW LEVEL SECURITY; DROP POLICY own_organization ON units;
        ALTER POLICY every_organization ON tickets TO fullhouse_app;
        """
    )
    assert await fresh_pool.fetch(TABLES) != before
    await migrate(fresh_database)
    assert await fresh_pool.fetch(TABLES) == before
    assert not await fresh_pool.fetchval("SELECT has_table_privilege('fullhouse_app', 'ledger_entries', 'UPDATE')")


@pytest.fixture(scope="module")
async def two(pool: Pool) -> tuple[UUID, UUID]:
    """Let two organizations sell, and return them."""
    made: list[UUID] = []
    for _ in range(2):
        sold = await sell(pool, 2)
        await sold.issue()
        made.append(sold.organization_id)
    return made[0], made[1]


async def organization_tables(pool: Pool) -> list[str]:
    return [row["name"] for row in await pool.fetch(TABLES) if row["is_organizations"]]


async def counts(pool: Pool, organization_id: UUID) -> dict[str, int]:
    return {
        table: await pool.fetchval(f"SELECT count(*) FROM {table} WHERE organization_id = $1", organization_id)
        for table in await organization_tables(pool)
    }


async def test_statements_without_a_where_see_and_change_one_organization(pool: Pool, two: tuple[UUID, UUID]) -> None:
    mine, theirs = two
    expected, foreign = await counts(pool, mine), await counts(pool, theirs)
    filled = [table for table, count in foreign.items() if count]
    assert len(filled) > 20, "the test says something of so many tables"
    conn: Any
    async with connection(pool, mine) as conn:
        for table, count in expected.items():
            # Whose anything is may be asked by anybody; that is all the directory says.
            where = f" WHERE organization_id = '{mine}'" if table == "directory" else ""
            assert await conn.fetchval(f"SELECT count(*) FROM {table}{where}") == count, table
        for table in expected.keys() - ADDED_TO:
            assert await conn.execute(f"DELETE FROM {table} WHERE organization_id = $1", theirs) == "DELETE 0", table
            changed = f"UPDATE {table} SET organization_id = organization_id WHERE organization_id = $1"
            assert await conn.execute(changed, theirs) == "UPDATE 0", table
    assert await counts(pool, theirs) == foreign


async def test_rows_of_another_organization_are_not_made_nor_taken(pool: Pool, two: tuple[UUID, UUID]) -> None:
    mine, theirs = two
    foreign = await counts(pool, theirs)
    tried = 0
    for table, count in foreign.items():
        if not count:
            continue
        row = await pool.fetchval(f"SELECT to_jsonb(t) FROM {table} t WHERE organization_id = $1 LIMIT 1", theirs)
        copied = f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(NULL::{table}, $1)).*"
        for whose in (mine, NO_ORGANIZATION, OfUser(uuid4())):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security policy"):
                await run(pool, whose, copied, row)
        if table not in ADDED_TO:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security policy"):
                await run(pool, mine, f"UPDATE {table} SET organization_id = $1", theirs)
        tried += 1
    assert tried > 20
    assert await counts(pool, theirs) == foreign


async def run(pool: Pool, whose: Any, statement: Any, *args: object) -> None:
    async with transaction(pool, whose) as conn:
        await conn.execute(statement, *args)


async def test_without_an_organization_nothing_is_seen_but_what_is_for_all(pool: Pool, two: tuple[UUID, UUID]) -> None:
    conn: Any
    tables = await organization_tables(pool)
    for whose, for_all in (
        (NO_ORGANIZATION, {"directory", "events", "order_emails"}),
        (OfUser(uuid4()), {"directory", "events", "order_emails"}),
        (uuid4(), {"directory"}),
    ):
        async with connection(pool, whose) as conn:
            seen = {table for table in tables if await conn.fetchval(f"SELECT EXISTS (SELECT FROM {table})")}
            assert seen == for_all, whose
            assert not await conn.fetchval("SELECT EXISTS (SELECT FROM events WHERE status <> 'published')")
    async with connection(pool, two[0]) as conn:
        assert await conn.fetchval("SELECT count(DISTINCT organization_id) FROM events") == 1


async def test_a_person_sees_where_they_are_a_member(pool: Pool, two: tuple[UUID, UUID]) -> None:
    user_id, other = uuid4(), uuid4()
    for person in (user_id, other):
        await pool.execute("INSERT INTO users (user_id, email) VALUES ($1, $2)", person, f"{person}@example.com")
    await pool.execute("INSERT INTO members VALUES ($1, $2, 'owner')", two[0], user_id)
    await pool.execute("INSERT INTO members VALUES ($1, $2, 'owner')", two[1], other)
    async with connection(pool, OfUser(user_id)) as conn:
        assert [row["organization_id"] for row in await conn.fetch("SELECT * FROM members")] == [two[0]]
        assert [row["organization_id"] for row in await conn.fetch("SELECT * FROM organizations")] == [two[0]]
        assert await conn.execute("UPDATE members SET role = 'owner'") == "UPDATE 0"
        assert await conn.execute("DELETE FROM members") == "DELETE 0"


async def test_books_are_only_added_to(pool: Pool, two: tuple[UUID, UUID]) -> None:
    for whose in (two[0], EVERY_ORGANIZATION):
        for statement in ("UPDATE ledger_entries SET line = line", "DELETE FROM admissions", "TRUNCATE orders"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                await run(pool, whose, statement)


async def test_the_program_works_as_roles_that_own_nothing(pool: Pool) -> None:
    for whose, role in ((uuid4(), APP_ROLE), (NO_ORGANIZATION, APP_ROLE), (EVERY_ORGANIZATION, WORKER_ROLE)):
        async with connection(pool, whose) as conn:
            assert await conn.fetchval("SELECT current_user") == role
            assert not await conn.fetchval(
                """
                SELECT EXISTS (SELECT FROM pg_class WHERE relowner = current_user::regrole)
                    OR (SELECT rolsuper OR rolbypassrls OR rolcreaterole FROM pg_roles WHERE rolname = current_user)
                """
            )


async def test_a_pool_lends_nothing_to_who_does_not_say_whose(database_url: str) -> None:
    opened = await open_pool(database_url, size_max=1)
    with pytest.raises(TypeError, match="say whose rows"):
        await opened.fetchval("SELECT 1")
    await opened.close()


@pytest.fixture
async def sign_in(pool: Pool) -> AsyncIterator[str]:
    """Make a sign-in of its own, which is a member of nothing yet, and return its name."""
    name = f"sign_in_{uuid4().hex[:12]}"
    await pool.execute(f"CREATE ROLE {name} LOGIN NOINHERIT PASSWORD 'not a secret'")  # pyright: ignore[reportArgumentType]
    yield name
    await pool.execute(f"DROP ROLE {name}")  # pyright: ignore[reportArgumentType]


def signed_in(url: str, name: str) -> str:
    user, at, rest = url.removeprefix("postgresql://").partition("@")
    assert at, user
    return f"postgresql://{name}:not%20a%20secret@{rest}"


@pytest.mark.parametrize("pooler", [False, True])
async def test_a_sign_in_of_one_role_serves_and_may_not_cross(
    pool: Pool, database_url: str, sign_in: str, two: tuple[UUID, UUID], *, pooler: bool
) -> None:
    await pool.execute(f"GRANT fullhouse_app TO {sign_in}")  # pyright: ignore[reportArgumentType]
    opened = await open_pool(signed_in(database_url, sign_in), size_max=1, pooler=pooler)
    async with connection(opened, two[0]) as conn:
        assert await conn.fetchval("SELECT count(DISTINCT organization_id) FROM orders") == 1
    with pytest.raises(MayNotCross, match="fullhouse_worker"):
        async with connection(opened, EVERY_ORGANIZATION):
            pass
    async with connection(opened, two[1]) as conn:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute("SET ROLE fullhouse_worker")
    await opened.close()


async def test_a_sign_in_of_both_roles_keeps_them_apart(
    pool: Pool, database_url: str, sign_in: str, two: tuple[UUID, UUID]
) -> None:
    await pool.execute(f"GRANT fullhouse_app, fullhouse_worker TO {sign_in}")  # pyright: ignore[reportArgumentType]
    opened = await open_pool(signed_in(database_url, sign_in), size_max=1)
    many = "SELECT count(DISTINCT organization_id) > 1 FROM orders"
    for _ in range(2):
        async with connection(opened, two[0]) as conn:
            assert not await conn.fetchval(many)
        async with connection(opened, EVERY_ORGANIZATION) as conn:
            assert await conn.fetchval(many)
    await opened.close()


async def test_roles_are_made_once_by_however_many_at_once(empty_database: str, pool: Pool) -> None:
    """Run the part of the script that makes roles; those of this server are in use, so these have other names."""
    script = (migrations_folder() / "row_security.sql").read_text(encoding="utf-8")
    start, end = script.index("DO $$"), script.index("$$;", script.index("DO $$")) + 3
    app, worker = f"app_{uuid4().hex[:12]}", f"worker_{uuid4().hex[:12]}"
    making = script[start:end].replace("fullhouse_app", app).replace("fullhouse_worker", worker)
    conns = [await asyncpg.connect(empty_database) for _ in range(8)]
    try:
        await asyncio.gather(*(conn.execute(making) for conn in conns))
        made = "SELECT array_agg(rolname::text ORDER BY 1) FROM pg_roles WHERE rolname IN ($1, $2) AND NOT rolcanlogin"
        assert await pool.fetchval(made, app, worker) == [app, worker]
    finally:
        await asyncio.gather(*(conn.close() for conn in conns))
        await pool.execute(f"DROP ROLE {app}; DROP ROLE {worker}")  # pyright: ignore[reportArgumentType]


async def test_an_owner_who_may_not_make_roles_crosses_as_itself(empty_database: str, sign_in: str) -> None:
    """Take the roles' names away from the script: as on a server whose administrator has not made them yet."""
    admin = await asyncpg.connect(empty_database)
    await admin.execute(f"ALTER SCHEMA public OWNER TO {sign_in}")
    owner = await asyncpg.connect(signed_in(empty_database, sign_in))
    try:
        for part in ("schema.sql", "row_security.sql"):
            script = (migrations_folder() / part).read_text(encoding="utf-8")
            script = script.replace("fullhouse_app", "nobody_app").replace("fullhouse_worker", "nobody_worker")
            async with owner.transaction():
                await owner.execute(script)
        policies = await owner.fetchval(
            "SELECT array_agg(DISTINCT polroles::regrole[]::text) FROM pg_policy WHERE polname = 'every_organization'"
        )
        assert policies == [f"{{{sign_in}}}"]
    finally:
        await owner.close()
        await admin.execute(f"DROP OWNED BY {sign_in} CASCADE")
        await admin.close()


def test_only_ids_get_into_what_a_session_is_told() -> None:
    told = json.dumps(Standing(APP_ROLE, str(UUID(int=1)), "").settings())
    assert told == json.dumps(
        [
            "role = fullhouse_app",
            "fullhouse.organization_id = '00000000-0000-0000-0000-000000000001'",
            "fullhouse.user_id = ''",
        ]
    )


async def test_the_owners_pool_of_these_tests_is_the_owners_alone(database_url: str) -> None:
    opened = await open_owners_pool(database_url, size_max=1)
    async with connection(opened, uuid4()) as before:
        assert await before.fetchval("SELECT current_user") == APP_ROLE
    assert await opened.fetchval("SELECT current_user = session_user")
    await opened.close()
