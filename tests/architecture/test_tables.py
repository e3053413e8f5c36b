"""Who writes which table, and that statements of the sale stay inside one organization: read from the sources.

Exceptions stand here with their reasons. One that is no longer needed fails the test, so that the lists stay true.
"""

import re

import pytest
from harness.sources import Statement, all_statements, owners, statements, tables_of_the_sale

from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection

OWNERS = owners()
SALE = tables_of_the_sale()

WRITTEN_BY_OTHERS = {
    ("reservations/ahead/hold_at_version.py:(module)", "outbox"): "a batch of holds is one statement",
    ("reservations/ahead/hold_one_at_version.py:hold_one_at_version", "outbox"): "the same",
    **{
        ("operations/bench/lay_rows.py:(module)", table): "a benchmark lays rows on a server of its own"
        for table in (
            *("outbox", "inbox", "idempotency_keys", "reservations", "orders", "units", "tickets", "admissions"),
            *("sessions", "price_categories", "ticket_types", "prices", "stock", "quotas", "directory"),
        )
    },
}

ACROSS_ORGANIZATIONS = {
    "aftersales/moves/queries.py:list_due_moves": "finds what is due; each is then closed inside its organization",
    "catalogue/queries.py:list_published_events": "the public list shows the events of all",
    "infra/audit_chain.py:link_audit_log": "finds whose entries wait; each chain is then linked inside its own",
    "infra/brokers/dead_letters.py": "an operator looks through the dead letters of all",
    "infra/brokers/postgres.py": "a queue carries the messages of all, and its position names a row",
    "infra/directory.py": "it finds the organization of an id",
    "infra/outbox_parked.py": "an operator looks through what is parked, whosever it is",
    "infra/outbox_leases.py": "a relay sends the messages of all",
    "orders/queries.py:find_orders_of_email": "finds whose orders are of an address; each is read inside its own",
    "operations/verify/": "an operator checks the promises for all at once",
    "payments/money_cases.py:find_case": "operators name a case; it is then closed inside its organization",
    "privacy/queries.py:find_unswept": "finds whose documents are left; each is then swept inside its organization",
    "payments/day_writes.py:drop_strangers": "drops what is known to be nobody's, whoever it was sent to",
    "reservations/queries.py:due_allocations": "finds what is due; each is then released inside its organization",
    "reservations/queries.py:load_ended": "finds what came to nothing; each is deleted by its organization and id",
    "reservations/queries.py:sessions_with_expired": "finds what has expired; each is then ended inside its own",
    "web/gauges.py": "an operator's depths of queues, without a row of anybody",
}

UNIQUE_WITHOUT_ORGANIZATION = {"directory_pkey": "it finds the organization of an id, so the id stands alone"}

_NAMES_ORGANIZATION = re.compile(
    r"organization_id\s*(=|IN\b|IS NOT DISTINCT)|\(organization_id\b|= ?[a-z]+\.organization_id"
    r"|USING \([a-z_, ]*organization_id"
)


def foreign_writes(found: list[Statement]) -> set[tuple[str, str]]:
    return {
        (statement.place, table)
        for statement in found
        for table in (statement.mentions() if statement.locks() else statement.writes())
        if OWNERS.get(table, statement.feature) != statement.feature
    }


def crossing(found: list[Statement]) -> set[str]:
    return {
        statement.place
        for statement in found
        if statement.mentions() & SALE and not _NAMES_ORGANIZATION.search(statement.sql)
    }


def reason(place: str) -> str | None:
    return next((known for known in ACROSS_ORGANIZATIONS if place.startswith(known)), None)


def test_the_sources_are_read() -> None:
    found = all_statements()
    assert len(found) > 200
    assert {"orders", "payments", "reservations", "tickets"} <= {statement.feature for statement in found}
    assert len(SALE) > 30
    written = {table for statement in found for table in statement.writes()}
    assert [table for table in OWNERS if table not in written] == []


def test_a_feature_writes_and_locks_its_own_tables_alone() -> None:
    assert foreign_writes(all_statements()) == set(WRITTEN_BY_OTHERS)


def test_every_statement_of_the_sale_names_the_organization() -> None:
    found = crossing(all_statements())
    assert [place for place in sorted(found) if reason(place) is None] == []
    assert set(ACROSS_ORGANIZATIONS) == {reason(place) for place in found}


PLANTED = """
async def cancel_order(conn):
    await conn.execute("UPDATE orders SET status = 'cancelled' WHERE order_id = $1")

async def peek(conn):
    await conn.fetch(
        "SELECT * FROM units u JOIN tickets t USING (organization_id, unit_id) WHERE u.number = 1 FOR UPDATE OF u"
    )

async def fine(conn):
    await conn.fetch("SELECT * FROM tickets WHERE organization_id = $1 AND order_id = $2 FOR UPDATE")
    await conn.execute("INSERT INTO tickets (organization_id) VALUES ($1) ON CONFLICT (unit_id) DO UPDATE SET x = 1")
"""


def test_a_planted_write_and_a_planted_crossing_are_found() -> None:
    planted = list(statements(PLANTED, "tickets/planted.py"))
    assert foreign_writes(planted) == {
        ("tickets/planted.py:cancel_order", "orders"),
        ("tickets/planted.py:peek", "units"),
    }
    assert crossing(planted) == {"tickets/planted.py:cancel_order"}


@pytest.fixture(scope="module")
async def unique_indexes(pool: Pool) -> dict[str, tuple[str, bool, list[str]]]:
    async with connection(pool, NO_ORGANIZATION) as conn:
        rows = await conn.fetch(
            """
            SELECT i.relname AS name, t.relname AS table, x.indisprimary AS is_primary,
                   array(SELECT pg_get_indexdef(x.indexrelid, k, true)
                         FROM generate_series(1, x.indnkeyatts) AS k) AS columns
            FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
            WHERE x.indisunique AND t.relnamespace = 'public'::regnamespace
            """
        )
    return {row["name"]: (row["table"], row["is_primary"], list(row["columns"])) for row in rows}


async def test_every_table_of_the_sale_begins_its_key_with_the_organization(
    unique_indexes: dict[str, tuple[str, bool, list[str]]],
) -> None:
    primary = {table: columns for table, is_primary, columns in unique_indexes.values() if is_primary}
    assert set(OWNERS) <= set(primary), "every table has a primary key"
    found = {f"{table}_pkey" for table in SALE if primary[table][0] != "organization_id"}
    # The queue of a broker is ordered by its position; its message is unique in its organization.
    assert found - {"broker_messages_pkey"} == set(UNIQUE_WITHOUT_ORGANIZATION)


async def test_every_unique_key_of_the_sale_contains_the_organization(
    unique_indexes: dict[str, tuple[str, bool, list[str]]],
) -> None:
    found = {
        name
        for name, (table, _, columns) in unique_indexes.items()
        if table in SALE and "organization_id" not in columns
    }
    assert found - {"broker_messages_pkey"} == set(UNIQUE_WITHOUT_ORGANIZATION)
