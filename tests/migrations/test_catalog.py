"""The migrations together make exactly the schema that ``schema.sql`` beside them shows, with its row security."""

import asyncpg

from fullhouse.infra.migrate import migrate, migrations_folder

COLUMNS = """
SELECT format('%s.%s %s%s%s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attnotnull THEN ' not null' END, ' default ' || pg_get_expr(d.adbin, d.adrelid),
    ' identity ' || nullif(a.attidentity::text, ''), ' generated ' || nullif(a.attgenerated::text, ''))
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0
    AND NOT a.attisdropped AND c.relname <> 'alembic_version'
"""
TABLES = """
SELECT format('%s %s persistence %s options %s row security %s %s partition by %s', relkind, relname, relpersistence,
    reloptions, relrowsecurity, relforcerowsecurity, pg_get_partkeydef(oid))
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S') AND relname <> 'alembic_version'
"""
CONSTRAINTS = """
SELECT format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid IS DISTINCT FROM to_regclass('alembic_version')
"""
INDEXES = """
SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""
TRIGGERS = """
SELECT pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace
"""
FUNCTIONS = """
SELECT pg_get_functiondef(p.oid)
FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.prokind IN ('f', 'p')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""
POLICIES = "SELECT format('%s %s %s %s %s', tablename, policyname, cmd, qual, with_check) FROM pg_policies"
VIEWS = "SELECT viewname || pg_get_viewdef(viewname::regclass) FROM pg_views WHERE schemaname = 'public'"
COMMENTS = """
SELECT format('%s %s %s', objoid::regclass, objsubid, description)
FROM pg_description JOIN pg_class c ON c.oid = objoid
WHERE classoid = 'pg_class'::regclass AND c.relnamespace = 'public'::regnamespace
"""
EVERYTHING = (TABLES, COLUMNS, CONSTRAINTS, INDEXES, TRIGGERS, FUNCTIONS, POLICIES, VIEWS, COMMENTS)


async def catalog(url: str) -> set[str]:
    conn = await asyncpg.connect(url)
    try:
        return {row[0] for query in EVERYTHING for row in await conn.fetch(query)}
    finally:
        await conn.close()


async def load_schema(url: str, extra: str = "") -> None:
    conn = await asyncpg.connect(url)
    try:
        for part in ("schema.sql", "row_security.sql"):
            async with conn.transaction():
                await conn.execute((migrations_folder() / part).read_text(encoding="utf-8"))
        await conn.execute(extra or "SELECT")
    finally:
        await conn.close()


async def test_migrations_make_the_schema(fresh_database: str, empty_database: str) -> None:
    await load_schema(empty_database)
    migrated, described = await catalog(fresh_database), await catalog(empty_database)
    assert len(described) > 300
    assert sorted(migrated - described) == []
    assert sorted(described - migrated) == []


async def test_comparison_sees_a_difference(fresh_database: str, empty_database: str) -> None:
    await load_schema(
        empty_database,
        """
        ALTER TABLE outbox ALTER COLUMN attempts SET DEFAULT 1;
        ALTER TABLE outbox ADD CONSTRAINT planted CHECK (attempts < 9);
        CREATE INDEX planted_index ON outbox (attempts);
        """,
    )
    difference = await catalog(empty_database) - await catalog(fresh_database)
    assert sorted(difference) == [
        "CREATE INDEX planted_index ON public.outbox USING btree (attempts)",
        "outbox planted CHECK ((attempts < 9))",
        "outbox.attempts smallint not null default 1",
    ]


async def test_migrating_again_changes_nothing(fresh_database: str) -> None:
    before = await catalog(fresh_database)
    assert await migrate(fresh_database) == []
    assert await catalog(fresh_database) == before
