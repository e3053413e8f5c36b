"""What a distributed Postgres needs: each statement stays inside one organization, by the catalog and the statements.

``docs/scaling.md`` says how each table is spread; what it says is compared with the catalog here. A statement that
touches several tables of the sale must tie each of them to the organization, or it would be sent to every server.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from harness.sources import ROOT, Statement, all_statements, owners, statements, tables_of_the_sale

from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection

SALE = tables_of_the_sale()
SCALING = Path(ROOT, "docs", "scaling.md").read_text(encoding="utf-8")
BY_ORGANIZATION = set(re.findall(r"create_distributed_table\('([a-z_]+)', 'organization_id'", SCALING))
BY_ANOTHER = dict(re.findall(r"create_distributed_table\('([a-z_]+)', '((?!organization_id)[a-z_]+)'", SCALING))
REFERENCE = set(re.findall(r"create_reference_table\('([a-z_]+)'", SCALING))
LOCAL = set(re.findall(r"^-- stays local: ([a-z_]+)", SCALING, re.MULTILINE))

TRIGGERS_ON = {
    "audit_entries": "only ever added to; each row is checked by itself",
    "audit_links": "the same",
    "receipts": "the same",
    "ledger_entries": "the same, and what one statement adds sums to zero: all of it is of one organization",
}

FINDS_WORK = "finds what is due, whosever it is; the work is then done inside its organization"
FORGETS = "deletes what is old, whosever it is, in batches"
OF_A_PERSON = "a person may be a member of several organizations"
ACROSS = {
    "aftersales/moves/queries.py:list_due_moves": FINDS_WORK,
    "aftersales/moves/queries.py:list_untold_moves": FINDS_WORK,
    "aftersales/session_refund_queries.py:list_open_session_refunds": FINDS_WORK,
    "catalogue/queries.py:list_published_events": "the public list shows the events of all",
    "infra/audit_chain.py:link_audit_log": FINDS_WORK,
    "infra/brokers/dead_letters.py": "an operator looks through the dead letters of all",
    "infra/brokers/postgres.py": "a queue carries the messages of all: its table stays on one server",
    "infra/directory.py": "it finds the organization of an id: its table is spread by the id",
    "infra/outbox_leases.py": "a relay sends the messages of all",
    "infra/outbox_parked.py": "an operator looks through what is parked, whosever it is",
    "infra/prune.py": FORGETS,
    "payments/money_cases.py:find_case": "an operator closes a case of whichever organization, by its id",
    "operations/verify/": "an operator checks the promises for all at once",
    "orders/queries.py:find_orders_of_email": "a buyer may have orders of several organizations",
    "organizations/members/queries.py:list_own_organizations": OF_A_PERSON,
    "organizations/queries.py:find_owned_organization": OF_A_PERSON,
    "organizations/queries.py:load_memberships": OF_A_PERSON,
    "payments/day_writes.py": FINDS_WORK,
    "payments/providers/simulated_books.py:due_charges": FINDS_WORK,
    "payments/writes.py:claim_refunds": FINDS_WORK,
    "payments/writes.py:claim_unended": FINDS_WORK,
    "privacy/queries.py:find_old_orders": FINDS_WORK,
    "privacy/queries.py:find_unswept": FINDS_WORK,
    "reservations/prune.py:_delete_old_changes": FORGETS,
    "reservations/queries.py:due_allocations": FINDS_WORK,
    "reservations/queries.py:load_ended": FINDS_WORK,
    "reservations/queries.py:sessions_with_expired": FINDS_WORK,
    "web/gauges.py": "an operator's depths of queues, without a row of anybody",
    "webhooks/writes.py:delete_old_deliveries": FORGETS,
}

_TOUCHED = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO|USING)\s+(?:ONLY\s+)?([a-z_]+)\b")
_TIED = re.compile(
    r"organization_id\s*(?:=|IN\b|IS NOT DISTINCT)|\(organization_id\b|USING \([a-z_, ]*organization_id"
    r"|(?<!organization_id) = ?[a-z]+\.organization_id"
)


def untied(found: list[Statement]) -> set[str]:
    """Return where more tables of the sale are touched than are tied to an organization."""
    return {
        one.place
        for one in found
        if sum(table in SALE for table in _TOUCHED.findall(one.sql)) > len(_TIED.findall(one.sql))
    }


def reason(place: str) -> str | None:
    return next((known for known in ACROSS if place.startswith(known)), None)


def test_every_table_that_a_statement_touches_is_tied_to_the_organization() -> None:
    found = untied(all_statements())
    assert [place for place in sorted(found) if reason(place) is None] == []
    assert set(ACROSS) == {reason(place) for place in found}


PLANTED = """
async def cross(conn):
    await conn.fetch("SELECT * FROM orders o JOIN tickets t ON t.order_id = o.order_id WHERE o.organization_id = $1")
    await conn.fetch("SELECT * FROM orders JOIN tickets USING (organization_id, order_id)")

async def also(conn):
    await conn.execute("DELETE FROM orders WHERE organization_id = $1 AND event_id IN (SELECT event_id FROM events)")

async def fine(conn):
    await conn.fetch(
        "SELECT * FROM orders o JOIN tickets t USING (organization_id, order_id) WHERE o.organization_id = $1"
    )
    await conn.fetch(
        "SELECT FROM orders o JOIN units u ON u.organization_id = o.organization_id WHERE o.organization_id = $1"
    )
"""


def test_planted_statements_that_reach_across_are_found() -> None:
    assert untied(list(statements(PLANTED, "tickets/planted.py"))) == {
        "tickets/planted.py:cross",
        "tickets/planted.py:also",
    }


def test_the_organization_of_a_row_never_changes() -> None:
    found = {
        one.place
        for one in all_statements()
        for part in re.findall(r"\bSET\b(.*?)(?:\bWHERE\b|\bFROM\b|\Z)", one.sql, re.DOTALL)
        if re.search(r"(?:^|,)\s*organization_id\s*=", part)
    }
    assert found == set()


def test_the_document_places_every_table_once() -> None:
    placed = [*BY_ORGANIZATION, *BY_ANOTHER, *REFERENCE, *LOCAL]
    assert sorted(placed) == sorted(owners())
    assert set(BY_ANOTHER) == {"directory"}
    assert {"directory", "broker_messages"} == SALE - BY_ORGANIZATION
    assert BY_ORGANIZATION <= SALE


@pytest.fixture(scope="module")
async def catalog(pool: Pool) -> dict[str, Any]:
    async with connection(pool, NO_ORGANIZATION) as conn:
        keys = await conn.fetch(
            """
            SELECT c.conname AS name, t.relname AS table, f.relname AS to,
                   array(SELECT attname FROM unnest(c.conkey) WITH ORDINALITY AS k(attnum, n)
                         JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum ORDER BY n) AS columns,
                   array(SELECT attname FROM unnest(c.confkey) WITH ORDINALITY AS k(attnum, n)
                         JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum ORDER BY n) AS others,
                   c.condeferrable AS deferrable
            FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class f ON f.oid = c.confrelid
            WHERE c.contype = 'f' AND t.relnamespace = 'public'::regnamespace
            """
        )
        unique = await conn.fetch(
            """
            SELECT t.relname AS table, i.relname AS name,
                   array(SELECT pg_get_indexdef(x.indexrelid, k, true)
                         FROM generate_series(1, x.indnkeyatts) AS k) AS columns
            FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
            WHERE x.indisunique AND t.relnamespace = 'public'::regnamespace
            """
        )
        columns = await conn.fetch(
            """
            SELECT t.relname AS table, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS is_needed
            FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid
            WHERE a.attname = 'organization_id' AND t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace
            """
        )
        exclusions = await conn.fetchval("SELECT count(*) FROM pg_constraint WHERE contype = 'x'")
        triggers = await conn.fetch(
            """
            SELECT DISTINCT t.relname AS table FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
            WHERE NOT g.tgisinternal AND t.relnamespace = 'public'::regnamespace
            """
        )
    return {"keys": keys, "unique": unique, "columns": columns, "exclusions": exclusions, "triggers": triggers}


async def test_whatever_is_unique_contains_the_key_by_which_its_table_is_spread(
    catalog: dict[str, Any],
) -> None:
    spread = {**dict.fromkeys(BY_ORGANIZATION, "organization_id"), **BY_ANOTHER}
    unique = [(row["table"], row["name"], list(row["columns"])) for row in catalog["unique"]]
    assert [name for table, name, columns in unique if table in spread and spread[table] not in columns] == []
    assert {table for table, _, _ in unique} >= set(spread)
    kinds = {row["table"]: (row["type"], row["is_needed"]) for row in catalog["columns"]}
    assert {kinds[table] for table in BY_ORGANIZATION} == {("uuid", True)}, "one type, or they would not lie together"


async def test_foreign_keys_stay_on_one_server(catalog: dict[str, Any]) -> None:
    assert len(catalog["keys"]) > 20
    for key in catalog["keys"]:
        table, to = key["table"], key["to"]
        pairs = list(zip(key["columns"], key["others"], strict=True))
        beside = table in BY_ORGANIZATION and to in BY_ORGANIZATION and ("organization_id", "organization_id") in pairs
        assert beside or to in REFERENCE, f"{key['name']}: from {table} to {to}"
        assert not (table in REFERENCE and to not in REFERENCE), key["name"]
        assert not key["deferrable"], key["name"]


async def test_what_distributed_tables_cannot_have_is_not_there_or_named(catalog: dict[str, Any]) -> None:
    assert catalog["exclusions"] == 0
    assert {row["table"] for row in catalog["triggers"]} == set(TRIGGERS_ON)
    [named] = re.findall(r"^-- has triggers: (.*)$", SCALING, re.MULTILINE)
    assert set(named.split(", ")) == set(TRIGGERS_ON)
