"""What row level security costs: its condition is sought in an index, and checked once where a statement has it too."""

import re
from typing import Any

import pytest

from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, Whose, transaction
from fullhouse.infra.system import make_id

KEYS = """
SELECT c.relname::text AS name, i.relname::text AS key, array_agg(a.attname::text ORDER BY k.number) AS columns
FROM pg_class c
JOIN pg_index x ON x.indrelid = c.oid AND x.indisprimary
JOIN pg_class i ON i.oid = x.indexrelid
CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY AS k(attribute, number)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attribute
WHERE c.relnamespace = 'public'::regnamespace AND c.relrowsecurity
GROUP BY 1, 2 ORDER BY 1
"""
SHOWN_TO_MORE = {"events", "members", "order_emails", "organizations"}
"""A second policy is an OR beside the condition; the tables that cross organizations are not keyed by one."""
OF_WHOM = "NULLIF(current_setting('fullhouse.organization_id'::text, true), ''::text))::uuid"


@pytest.fixture(scope="module")
async def keys(pool: Pool) -> dict[str, tuple[str, list[str]]]:
    """Return the primary key of every table that is keyed by its organization first: its index and its columns."""
    found = {row["name"]: (row["key"], row["columns"]) for row in await pool.fetch(KEYS)}
    assert {name for name, (_, columns) in found.items() if columns[0] != "organization_id"} == {
        "broker_messages",
        "directory",
    }
    return {name: key for name, key in found.items() if key[1][0] == "organization_id"}


async def plans(pool: Pool, whose: Whose, statements: dict[str, str]) -> dict[str, str]:
    """Return the plans for tables of any size and for any parameters, by the name of the statement."""
    found: dict[str, str] = {}
    conn: Any
    async with transaction(pool, whose) as conn:
        await conn.execute("SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan")
        for name, statement in statements.items():
            count = statement.count("$")
            await conn.execute(f"PREPARE asked AS {statement}")
            arguments = f"({', '.join(['NULL'] * count)})" if count else ""
            found[name] = "\n".join(row[0] for row in await conn.fetch(f"EXPLAIN EXECUTE asked {arguments}"))
            await conn.execute("DEALLOCATE asked")
    return found


async def test_rows_of_an_organization_are_sought_and_not_filtered(
    pool: Pool, keys: dict[str, tuple[str, list[str]]]
) -> None:
    asked = {name: f"SELECT * FROM {name}" for name in keys.keys() - SHOWN_TO_MORE}
    assert len(asked) > 35
    for name, plan in (await plans(pool, make_id(), asked)).items():
        assert f"Index Cond: (organization_id = ({OF_WHOM})" in plan, f"{name}: {plan}"
        assert "Filter" not in plan, f"{name}: {plan}"
        assert "Seq Scan" not in plan, f"{name}: {plan}"


async def test_a_statement_that_names_its_organization_is_checked_once(
    pool: Pool, keys: dict[str, tuple[str, list[str]]]
) -> None:
    asked: dict[str, str] = {}
    for name in keys.keys() - SHOWN_TO_MORE:
        named = " AND ".join(f"{column} = ${number}" for number, column in enumerate(keys[name][1], 1))
        asked[name] = f"SELECT * FROM {name} WHERE {named}"
    for name, plan in (await plans(pool, make_id(), asked)).items():
        assert f"One-Time Filter: (({OF_WHOM} = $1)" in plan, f"{name}: {plan}"
        assert plan.count("current_setting") == 1, f"{name}: {plan}"
        assert re.search(r"Index Cond: \(+organization_id = \$1\)", plan), f"{name}: {plan}"


async def test_orders_of_an_address_are_found_in_an_index_by_who_names_no_organization(pool: Pool) -> None:
    asked = {"orders": "SELECT organization_id, order_id FROM order_emails WHERE email_hash = $1"}
    plan = (await plans(pool, NO_ORGANIZATION, asked))["orders"]
    assert "order_emails_by_hash" in plan
    assert "Index Cond: (email_hash = $1)" in plan
