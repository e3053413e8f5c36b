"""Mails under way at the same time: read and noted together, each with its own end."""

import asyncio
from uuid import UUID, uuid4

import pytest
from harness.sold import Sell, pay_for

from fullhouse.infra.postgres import Connection, Pool, connection
from fullhouse.orders.rules import OrderNotFound
from fullhouse.tickets import mail_tickets as module
from fullhouse.tickets.load_sale import Sale, load_sale, load_sales
from fullhouse.tickets.mail_tickets import MailRecords, Mailroom, mail_tickets


async def test_each_of_those_that_are_mailed_together_has_its_own_end(
    pool: Pool, sell: Sell, mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await sell(2)
    others = [await pay_for(first.sale, await first.sale.hold(number)) for number in (1, 3, 1)]
    *mailed, unissued = [first, *others]
    for sold in mailed:
        await sold.issue()
    organization_id = first.organization_id
    ids = [sold.order_id for sold in (first, *others)]
    records = MailRecords(pool)
    assert await mail_tickets(records, mailroom, organization_id, first.order_id)

    together: list[int] = []

    async def load_and_count(conn: Connection, organization_id: UUID, order_ids: list[UUID]) -> dict[UUID, Sale]:
        together.append(len(order_ids))
        return await load_sales(conn, organization_id, order_ids)

    monkeypatch.setattr(module, "load_sales", load_and_count)
    ends = await asyncio.gather(
        *(mail_tickets(records, mailroom, organization_id, order_id) for order_id in (*ids, uuid4())),
        return_exceptions=True,
    )
    assert ends[:4] == [False, True, True, False]
    assert isinstance(ends[4], OrderNotFound)
    assert together == [4], "all that were not mailed yet were loaded at once"
    rows = await pool.fetch(
        """
        SELECT order_id, (SELECT count(*) FROM ticket_documents d WHERE d.order_id = m.order_id) AS documents
        FROM mail_deliveries m WHERE organization_id = $1 AND kind = 'tickets'
        """,
        organization_id,
    )
    assert {tuple(row) for row in rows} == {(sold.order_id, 1) for sold in mailed}
    assert len(rows) == 3
    again = [mail_tickets(records, mailroom, organization_id, sold.order_id) for sold in (*mailed, *mailed)]
    assert await asyncio.gather(*again) == [False] * 6
    assert unissued.order_id not in {row["order_id"] for row in rows}


async def test_sales_that_are_loaded_together_are_those_that_are_loaded_alone(pool: Pool, sell: Sell) -> None:
    first = await sell(3)
    second = await pay_for(first.sale, await first.sale.hold(1))
    await first.issue()
    ids = [first.order_id, second.order_id]
    async with connection(pool, first.organization_id) as conn:
        alone = {order_id: await load_sale(conn, first.organization_id, order_id) for order_id in ids}
        assert await load_sales(conn, first.organization_id, [*ids, uuid4()]) == alone
        assert await load_sales(conn, first.organization_id, [uuid4()]) == {}
    assert [len(alone[order_id].tickets) for order_id in ids] == [3, 0]
