"""``verify`` finds nothing on a healthy database, and each planted fault where it was planted."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest
from harness.pools import open_owners_pool
from harness.servers import Databases

from fullhouse.operations.verify import CHECKS, Finding, verify

from .healthy import build_healthy

_numbers = count(1)

A_SEAT = "(SELECT session_id FROM units WHERE seat_index IS NOT NULL LIMIT 1)"
STANDING_UNIT = "(SELECT unit_id FROM units WHERE status = 'live' AND seat_index IS NULL ORDER BY unit_id LIMIT 1)"
A_UNIT = "SELECT * FROM units WHERE status = 'live' AND seat_index IS NOT NULL ORDER BY unit_id LIMIT 1"
PAID_ORDER = "(SELECT order_id FROM orders WHERE status = 'paid' ORDER BY order_id LIMIT 1)"
STRANGER = "'018f0000-0000-7000-8000-000000000000'"

OPEN_BOOKS = "ALTER TABLE ledger_entries DISABLE TRIGGER ALL;"
FAULTS = {
    "seat_has_one_unit": f"""
        DROP INDEX units_one_live_per_seat;
        UPDATE units SET seat_index = (SELECT min(seat_index) FROM units WHERE status = 'live')
        WHERE seat_index IS NOT NULL AND session_id = {A_SEAT}
    """,
    "seat_has_one_claim": """
        UPDATE reservations r SET seats = ARRAY[u.seat_index] FROM units u
        WHERE u.status = 'live' AND u.session_id = r.session_id AND r.status = 'held' AND u.seat_index IS NOT NULL
    """,
    "quota_is_not_oversold": """
        ALTER TABLE quotas DROP CONSTRAINT quotas_not_oversold; UPDATE quotas SET capacity = 1
    """,
    "quota_counts_what_is_claimed": "UPDATE quotas SET sold = sold - 1 WHERE sold > 0",
    "seat_state_is_its_owner's": "UPDATE seats SET state = 0, reservation_id = NULL WHERE state = 2",
    "seat_row_for_each_seat": "DELETE FROM seats WHERE state = 0",
    "hold_ends_in_time": """
        UPDATE reservations SET expires_at = clock_timestamp() - interval '2 minutes' WHERE status = 'held'
    """,
    "allocation_is_released_in_time": """
        UPDATE allocations SET release_at = clock_timestamp() - interval '2 minutes'
    """,
    "stock_version_is_noted": "UPDATE stock SET version = version + 1",
    "reservation_keeps_the_limits": """
        UPDATE sessions SET per_order_max = 2, updated_at = updated_at - interval '1 hour'
    """,
    "captured_money_is_used": f"""
        {OPEN_BOOKS} DELETE FROM ledger_entries WHERE account IN ('sales', 'buyers') AND payment_id IS NULL
    """,
    "provider_and_we_agree": """
        UPDATE payments SET status = 'started', captured_minor = 0 WHERE status = 'succeeded';
        UPDATE simulated_charges SET notify_at = notify_at - interval '11 minutes'
    """,
    "provider_gave_back_what_we_say": "DELETE FROM simulated_refunds",
    "refunded_unit_is_not_live": "UPDATE units SET status = 'live' WHERE status = 'cancelled'",
    "ledger_entry_sums_to_zero": f"""
        {OPEN_BOOKS} UPDATE ledger_entries SET amount_minor = amount_minor + 1 WHERE line = 1
    """,
    "ledger_has_each_payment": f"""
        {OPEN_BOOKS} DELETE FROM ledger_entries WHERE account = 'provider:simulated' AND amount_minor > 0
    """,
    "ledger_has_each_sale": f"{OPEN_BOOKS} DELETE FROM ledger_entries WHERE account IN ('sales', 'buyers')",
    "ledger_has_each_refund": "UPDATE refunds SET status = 'requested' WHERE status = 'succeeded'",
    "receipt_numbers_have_no_gap": """
        ALTER TABLE receipts DISABLE TRIGGER ALL; DELETE FROM receipts WHERE number = 1
    """,
    "paid_order_has_its_receipt": """
        ALTER TABLE receipts DISABLE TRIGGER ALL; DELETE FROM receipts;
        UPDATE orders SET paid_at = paid_at - interval '11 minutes'
    """,
    "units_sum_to_their_order": "UPDATE units SET fee_minor = fee_minor + 1 WHERE fee_minor > 0",
    "sale_is_entered_as_it_was_charged": """
        ALTER TABLE ledger_entries DISABLE TRIGGER ALL;
        UPDATE ledger_entries SET account = 'sales' WHERE account = 'taxes'
    """,
    "refunds_are_not_more_than_captured": "UPDATE refunds SET amount_minor = amount_minor * 10",
    "money_beyond_the_total_goes_back": """
        UPDATE payments SET captured_minor = captured_minor + 1 WHERE status = 'succeeded'
    """,
    "order_costs_what_was_agreed": f"UPDATE orders SET total_minor = total_minor + 1 WHERE order_id = {PAID_ORDER}",
    "units_are_as_many_as_paid": f"DELETE FROM units WHERE unit_id = {STANDING_UNIT}",
    "unit_has_one_valid_ticket": f"""
        DROP INDEX tickets_one_valid_per_unit;
        INSERT INTO tickets (organization_id, ticket_id, event_id, session_id, order_id, unit_id, generation, key_id)
        SELECT organization_id, {STRANGER}, event_id, session_id, order_id, unit_id, 2, key_id
        FROM tickets WHERE status = 'valid' LIMIT 1
    """,
    "paid_unit_gets_its_ticket": """
        DELETE FROM admissions; DELETE FROM tickets; UPDATE orders SET paid_at = paid_at - interval '2 minutes'
    """,
    "issued_tickets_are_mailed": """
        DELETE FROM mail_deliveries; UPDATE tickets SET issued_at = issued_at - interval '11 minutes'
    """,
    "order_ends_with_its_hold": """
        UPDATE orders SET status = 'pending' WHERE status = 'expired';
        UPDATE reservations SET ended_at = ended_at - interval '2 minutes'
    """,
    "code_counts_its_uses": "UPDATE codes SET use_count = use_count + 1",
    "attempt_ends_in_time": """
        UPDATE payments SET status = 'started', deadline_at = clock_timestamp() - interval '2 hours'
        WHERE status = 'declined'
    """,
    "key_has_one_answer": """
        ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_pkey;
        INSERT INTO idempotency_keys SELECT * FROM idempotency_keys
    """,
    "message_is_sent": "UPDATE outbox SET sent_at = NULL, occurred_at = occurred_at - interval '2 minutes'",
    "message_is_reacted_to": "DELETE FROM inbox; UPDATE outbox SET sent_at = sent_at - interval '2 minutes'",
    "queue_is_worked_off": f"""
        INSERT INTO broker_messages (queue, organization_id, message_id, key, body, enqueued_at)
        VALUES ('tickets.issue', {STRANGER}, {STRANGER}, {STRANGER}, '{{}}', clock_timestamp() - interval '11 minutes')
    """,
    "no_dead_letter_waits": f"""
        INSERT INTO dead_letters (organization_id, dead_letter_id, queue, message_id, key, body, reason, attempts)
        VALUES ({STRANGER}, {STRANGER}, 'tickets.issue', {STRANGER}, {STRANGER}, '{{}}', 'no', 1)
    """,
    "webhook_is_tried_in_time": f"""
        INSERT INTO webhook_endpoints (organization_id, endpoint_id, url, types)
        SELECT organization_id, {STRANGER}, 'https://hooks.example.org/', '{{order.paid}}' FROM organizations LIMIT 1;
        INSERT INTO webhook_deliveries (organization_id, endpoint_id, delivery_id, message_id, type, body, due_at)
        SELECT organization_id, endpoint_id, endpoint_id, endpoint_id, 'order.paid', '{{}}',
               clock_timestamp() - interval '11 minutes'
        FROM webhook_endpoints
    """,
    "notice_is_applied": """
        UPDATE payment_notices SET applied_at = NULL, received_at = received_at - interval '11 minutes'
    """,
    "ledger_has_each_dispute": f"""
        INSERT INTO disputes (organization_id, dispute_id, order_id, payment_id, provider_reference, amount_minor,
                              currency, withdrawn_minor)
        SELECT organization_id, {STRANGER}, order_id, payment_id, 'du_1', 100, currency, 100 FROM payments LIMIT 1
    """,
    "failed_refund_is_a_case": "UPDATE refunds SET status = 'failed' WHERE status = 'succeeded'",
    "ledger_has_how_refunds_ended": "UPDATE refunds SET otherwise_reference = 'TED-7' WHERE status = 'succeeded'",
    "money_case_is_closed": f"""
        INSERT INTO money_cases (organization_id, case_id, kind, provider, subject, detail)
        SELECT organization_id, {STRANGER}, 'capture_unknown', 'simulated', 'x', 'y' FROM organizations LIMIT 1
    """,
    "day_is_compared_in_time": """
        INSERT INTO reconciliations (organization_id, provider, day)
        SELECT organization_id, 'simulated', (clock_timestamp() AT TIME ZONE 'UTC')::date - 3 FROM organizations LIMIT 1
    """,
    "refund_is_done_in_time": """
        UPDATE refunds SET status = 'requested', requested_at = requested_at - interval '4 days'
    """,
    "entry_is_recorded_once": """
        ALTER TABLE admissions DROP CONSTRAINT admissions_entry; UPDATE admissions SET entry_number = 1
    """,
    "unit_enters_after_it_left": "DELETE FROM admissions WHERE direction = 'out'",
    "void_ticket_does_not_enter": """
        UPDATE tickets t SET status = 'void', ended_at = a.recorded_at - interval '6 seconds'
        FROM admissions a WHERE a.ticket_id = t.ticket_id
    """,
    "admission_is_of_its_ticket": f"UPDATE admissions SET unit_id = {STRANGER}",
    "row_belongs_to_its_organization": f"UPDATE tickets SET organization_id = {STRANGER}",
    "audit_entry_is_linked": f"""
        INSERT INTO audit_entries (organization_id, actor_kind, actor_label, action, thing_kind, thing_id, occurred_at)
        VALUES ({STRANGER}, 'operator', 'forged', 'event.delete', 'event', {STRANGER},
                clock_timestamp() - interval '61 seconds')
    """,
    "audit_chain_is_whole": """
        ALTER TABLE audit_entries DISABLE TRIGGER ALL; UPDATE audit_entries SET actor_label = 'somebody else'
        WHERE position = (SELECT min(position) FROM audit_entries)
    """,
    "audit_chain_ends_at_its_head": """
        ALTER TABLE audit_entries DISABLE TRIGGER ALL; ALTER TABLE audit_links DISABLE TRIGGER ALL;
        DELETE FROM audit_origins o USING audit_heads h, audit_links l
        WHERE l.organization_id = h.organization_id AND l.number = h.number AND o.position = l.position;
        DELETE FROM audit_entries e USING audit_heads h, audit_links l
        WHERE l.organization_id = h.organization_id AND l.number = h.number AND e.position = l.position;
        DELETE FROM audit_links l USING audit_heads h
        WHERE l.organization_id = h.organization_id AND l.number = h.number
    """,
    "audit_origin_is_unchanged": "UPDATE audit_origins SET address = '198.51.100.7'",
    "directory_knows_the_owner": f"UPDATE directory SET organization_id = {STRANGER} WHERE kind = 'order'",
}
"""A fault for each check: a constraint dropped where one stands in the way, and rows made wrong."""


class Plants:
    """Copies of the healthy database, each with its fault."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases

    @asynccontextmanager
    async def database(self, fault: str = "SELECT 1") -> AsyncGenerator[Any]:
        url = await self.databases.create(f"copy_{next(_numbers)}")
        pool = await open_owners_pool(url, size_max=2)
        try:
            await pool.execute(fault)
            yield pool
        finally:
            await pool.close()
            await self.databases.drop(url)


@pytest.fixture(scope="module")
async def plants(databases: Databases, valkey: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plants]:
    url = await databases.create("healthy")
    pool = await open_owners_pool(url)
    try:
        await build_healthy(pool, valkey, url, tmp_path_factory.mktemp("healthy"))
    finally:
        await pool.close()
    copies = Databases(databases.admin_url, f"{databases.prefix}_verify")
    copies.template = f"{databases.prefix}_healthy"
    yield Plants(copies)
    await copies.drop_all()
    await databases.drop(url)


def test_every_check_has_a_planted_fault_and_its_own_name() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert set(FAULTS) == set(names)


async def test_nothing_is_found_on_a_healthy_database(plants: Plants) -> None:
    async with plants.database() as pool:
        filled = ("units", "refunded_units", "tickets", "admissions", "allocations", "refunds", "inbox", "seats")
        for table in (*filled, "audit_links", "audit_origins"):
            assert await pool.fetchval(f"SELECT count(*) FROM {table}") > 0, table
        statuses = await pool.fetch("SELECT DISTINCT status FROM orders ORDER BY 1")
        assert [row["status"] for row in statuses] == ["cancelled", "expired", "paid", "pending", "refunded"]
        assert await verify(pool) == []
        assert await verify(pool, idle=True) == []


async def test_nothing_is_found_on_an_empty_database(fresh_pool: Any) -> None:
    assert await verify(fresh_pool, idle=True) == []


@pytest.mark.parametrize("name", FAULTS)
async def test_planted_fault_is_found(plants: Plants, name: str) -> None:
    async with plants.database(FAULTS[name]) as pool:
        findings = {finding.check: finding for finding in await verify(pool)}
        assert name in findings, sorted(findings)
        found: Finding = findings[name]
        assert found.row_count >= len(found.rows) > 0
        assert "organization_id" in found.rows[0]
        assert found.promise == next(check.promise for check in CHECKS if check.name == name)


MORE_FAULTS_OF_THE_CHAIN = {
    "an entry is deleted": "DELETE FROM audit_entries WHERE position = (SELECT min(position) FROM audit_entries)",
    "an entry is deleted with its link": """
        DELETE FROM audit_entries WHERE position = (SELECT position FROM audit_links WHERE number = 2 LIMIT 1);
        DELETE FROM audit_links l WHERE NOT EXISTS (SELECT FROM audit_entries e WHERE e.position = l.position)
    """,
    "an entry is put in the place of another": """
        UPDATE audit_links SET position = (SELECT max(position) + 1 FROM audit_entries) WHERE number = 1;
        INSERT INTO audit_entries (organization_id, actor_kind, actor_label, action, thing_kind, thing_id)
        SELECT organization_id, actor_kind, 'forged', action, thing_kind, thing_id FROM audit_entries e
        JOIN audit_links l USING (organization_id) WHERE l.number = 1 LIMIT 1
    """,
    "two entries change places": """
        ALTER TABLE audit_links DROP CONSTRAINT audit_links_entry;
        UPDATE audit_links a SET position = b.position FROM audit_links b
        WHERE a.organization_id = b.organization_id AND a.number + b.number = 3
    """,
    "a hash is made anew, and what follows is not": """
        UPDATE audit_entries SET action = 'event.forged'
        WHERE position IN (SELECT position FROM audit_links WHERE number = 1);
        UPDATE audit_links l SET hash =
            sha256(decode(repeat('00', 32), 'hex') || int8send(l.number) || audit_digest(e))
        FROM audit_entries e WHERE e.organization_id = l.organization_id AND e.position = l.position AND l.number = 1
    """,
}


@pytest.mark.parametrize("fault", MORE_FAULTS_OF_THE_CHAIN)
async def test_audit_log_that_was_tampered_with_is_found(plants: Plants, fault: str) -> None:
    disabled = "ALTER TABLE audit_entries DISABLE TRIGGER ALL; ALTER TABLE audit_links DISABLE TRIGGER ALL;"
    async with plants.database(disabled + MORE_FAULTS_OF_THE_CHAIN[fault]) as pool:
        assert "audit_chain_is_whole" in [finding.check for finding in await verify(pool)]


async def test_verify_changes_nothing_and_calls_back_before_each_check(plants: Plants) -> None:
    async with plants.database() as pool:
        seen: list[str] = []
        await verify(pool, on_check=lambda check: seen.append(check.name))
        assert seen == [check.name for check in CHECKS]
        assert not await pool.fetchval("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")


async def test_many_rows_are_counted_and_the_first_are_shown(plants: Plants) -> None:
    async with plants.database("UPDATE directory SET organization_id = gen_random_uuid()") as pool:
        (finding,) = [one for one in await verify(pool) if one.check == "directory_knows_the_owner"]
        assert len(finding.rows) == 20
        assert finding.row_count > 20
