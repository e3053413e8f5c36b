"""Issuing: one valid ticket for each live unit, whatever is repeated, and none for what is cancelled."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest
from harness.sold import Sell, waits_for_lock
from harness.stock import SERVER_KEY

from fullhouse.aftersales.refund_order import refund_order
from fullhouse.aftersales.rules import RefundWish
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.rules import OrderNotFound
from fullhouse.tickets.code import code_of, read_code, verify_code
from fullhouse.tickets.issue_tickets import issue_tickets
from fullhouse.tickets.queries import load_ticket_key
from fullhouse.tickets.rules import TicketStatus


async def test_each_live_unit_gets_one_ticket(pool: Pool, sell: Sell) -> None:
    sold = await sell(3)
    issued = await sold.issue()
    assert {ticket.unit_id for ticket in issued} == {unit.unit_id for unit in await sold.units()}
    assert tuple(issued) == await sold.tickets()
    assert [(t.generation, t.status, t.key_id) for t in issued] == [(1, TicketStatus.VALID, 1)] * 3
    assert {(t.event_id, t.session_id) for t in issued} == {(sold.order.event_id, sold.order.session_id)}
    [message] = await sold.announced("ticket.issued")
    assert message.key == sold.order_id
    assert message.data == {
        "order_id": str(sold.order_id),
        "event_id": str(sold.order.event_id),
        "session_id": str(sold.order.session_id),
        "tickets": [{"ticket_id": str(t.ticket_id), "unit_id": str(t.unit_id), "generation": 1} for t in issued],
    }
    found = await pool.fetch(
        "SELECT id FROM directory WHERE kind = 'ticket' AND id = ANY ($1)", [t.ticket_id for t in issued]
    )
    assert len(found) == 3


async def test_the_codes_verify_with_the_stored_key(pool: Pool, sell: Sell) -> None:
    sold = await sell(2)
    for ticket in await sold.issue():
        read = read_code(code_of(SERVER_KEY, ticket))
        async with transaction(pool, sold.organization_id) as conn:
            key = await load_ticket_key(conn, sold.organization_id, read.key_id)
        assert key is not None
        claims = verify_code(read, key.public_key)
        assert (claims.ticket_id, claims.session_id, claims.generation) == (ticket.ticket_id, ticket.session_id, 1)


async def test_repeating_it_issues_nothing_more(sell: Sell) -> None:
    sold = await sell(3)
    first = await sold.issue()
    assert await sold.issue() == []
    assert await sold.tickets() == tuple(first)
    assert len(await sold.announced("ticket.issued")) == 1


async def test_eight_at_once_issue_each_ticket_once(sell: Sell) -> None:
    sold = await sell(5)
    barrier = asyncio.Barrier(8)

    async def issue() -> int:
        await barrier.wait()
        return len(await sold.issue())

    counts = await asyncio.gather(*(issue() for _ in range(8)))
    assert sorted(counts) == [0] * 7 + [5]
    assert len(await sold.tickets()) == 5
    assert len(await sold.announced("ticket.issued")) == 1


async def test_the_tables_refuse_a_second_valid_ticket_of_a_unit(pool: Pool, sell: Sell) -> None:
    sold = await sell(1)
    await sold.issue()
    again = """
        INSERT INTO tickets (organization_id, ticket_id, event_id, session_id, order_id, unit_id, generation, key_id)
        SELECT organization_id, $2, event_id, session_id, order_id, unit_id, generation + $3, key_id
        FROM tickets WHERE order_id = $1
        """
    with pytest.raises(asyncpg.UniqueViolationError, match="tickets_generation"):
        await pool.execute(again, sold.order_id, uuid4(), 0)
    with pytest.raises(asyncpg.UniqueViolationError, match="tickets_one_valid_per_unit"):
        await pool.execute(again, sold.order_id, uuid4(), 1)
    assert len(await sold.tickets()) == 1


async def test_what_is_rolled_back_was_never_issued(pool: Pool, sell: Sell) -> None:
    sold = await sell(2)

    async def die() -> None:
        async with transaction(pool, sold.organization_id) as conn:
            await issue_tickets(conn, system.make_id, SERVER_KEY, sold.organization_id, sold.order_id)
            raise RuntimeError("killed before the commit")

    with pytest.raises(RuntimeError, match="killed"):
        await die()
    assert await sold.tickets() == ()
    assert await sold.announced("ticket.issued") == []
    assert len(await sold.issue()) == 2


async def test_cancelled_units_get_no_ticket(sell: Sell) -> None:
    sold = await sell(3)
    gone, *kept = [unit.unit_id for unit in await sold.units()]
    await sold.refund(gone)
    assert {ticket.unit_id for ticket in await sold.issue()} == set(kept)

    whole = await sell(2)
    await whole.refund()
    assert await whole.issue() == []
    assert await whole.announced("ticket.issued") == []


async def test_an_unknown_order_has_no_tickets(pool: Pool, sell: Sell) -> None:
    sold, other = await sell(1), await sell(1)
    for organization_id, order_id in ((sold.organization_id, uuid4()), (other.organization_id, sold.order_id)):
        with pytest.raises(OrderNotFound):
            async with transaction(pool, organization_id) as conn:
                await issue_tickets(conn, system.make_id, SERVER_KEY, organization_id, order_id)
    assert await sold.tickets() == ()


async def test_a_refund_waits_for_an_issue_and_voids_its_tickets(pool: Pool, sell: Sell) -> None:
    sold = await sell(2)
    async with transaction(pool, sold.organization_id) as conn:
        await issue_tickets(conn, system.make_id, SERVER_KEY, sold.organization_id, sold.order_id)
        refund = asyncio.create_task(sold.refund())
        await waits_for_lock(pool, refund)
    await refund
    assert [ticket.status for ticket in await sold.tickets()] == [TicketStatus.VOID] * 2
    assert len(await sold.announced("ticket.voided")) == 1


async def test_an_issue_waits_for_a_refund_and_issues_nothing(pool: Pool, sell: Sell) -> None:
    sold = await sell(2)
    async with transaction(pool, sold.organization_id) as conn:
        wish = RefundWish()
        await refund_order(conn, system.make_id, sold.organization_id, sold.order_id, wish)
        issue = asyncio.create_task(sold.issue())
        await waits_for_lock(pool, issue)
    assert await issue == []
    assert await sold.tickets() == ()
