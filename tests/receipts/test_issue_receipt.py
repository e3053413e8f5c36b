"""Receipts and credit notes: each once, with numbers that have no gap, whoever numbers them and wherever they die."""

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest
from harness.crashes import Died, DyingConnection
from harness.sale import make_sale
from harness.sold import Sold, pay_for, sell

from fullhouse.core.ids import MakeId
from fullhouse.infra import system
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection, transaction
from fullhouse.payments.rules import RefundStatus
from fullhouse.receipts.issue_receipt import issue_credit_note, issue_receipt, issue_receipts
from fullhouse.receipts.queries import list_receipts
from fullhouse.receipts.rules import Receipt, ReceiptLine

MAKE_ID: MakeId = system.make_id


async def receipt(sold: Sold) -> Receipt | None:
    async with transaction(sold.pool, sold.organization_id) as conn:
        return await issue_receipt(conn, MAKE_ID, sold.organization_id, sold.order_id)


async def notes(sold: Sold) -> list[Receipt | None]:
    done: list[Receipt | None] = []
    for refund in await sold.sale.refunds(sold.order_id):
        async with transaction(sold.pool, sold.organization_id) as conn:
            done.append(await issue_credit_note(conn, MAKE_ID, sold.organization_id, refund.refund_id))
    return done


async def all_of(sold: Sold) -> Sequence[Receipt]:
    async with connection(sold.pool, sold.organization_id) as conn:
        return await list_receipts(conn, sold.organization_id, None, 100)


async def test_a_paid_order_has_one_receipt(pool: Pool) -> None:
    sold = await sell(pool, 3)
    first = await receipt(sold)
    assert first is not None
    assert (first.kind, first.number, first.amount_minor, first.currency) == ("receipt", 1, 7500, "EUR")
    assert first.lines == (ReceiptLine(3, first.lines[0].description, 2500, 7500),)
    assert first.label == f"{first.issued_at.year}-000001"
    assert await receipt(sold) == first
    assert list(await all_of(sold)) == [first]


async def test_a_refund_that_is_done_has_a_credit_note(pool: Pool) -> None:
    sold = await sell(pool, 2)
    unit, _ = await sold.units()
    await sold.refund(unit.unit_id)
    assert await notes(sold) == [None]
    await sold.sale.work()
    assert [one.status for one in await sold.sale.refunds(sold.order_id)] == [RefundStatus.SUCCEEDED]
    # Also where the refund is heard of before the sale.
    [note] = await notes(sold)
    assert note is not None
    assert (note.kind, note.number, note.amount_minor) == ("credit_note", 2, 2500)
    assert await notes(sold) == [note]
    assert [(one.kind, one.number) for one in await all_of(sold)] == [("receipt", 1), ("credit_note", 2)]


async def test_what_is_free_or_never_paid_has_none(pool: Pool) -> None:
    free = await sell(pool, 2, price_minor=0)
    sale = await make_sale(pool)
    pending = Sold(pool, sale, (await sale.order()).order)
    assert await receipt(free) is None
    assert await receipt(pending) is None
    assert await all_of(free) == await all_of(pending) == []


async def test_six_workers_at_once_leave_no_gap(pool: Pool) -> None:
    sale = await make_sale(pool, capacity=20)
    sold = [await pay_for(sale, await sale.hold(1), "en") for _ in range(6)]
    barrier = asyncio.Barrier(12)

    async def one(order: Sold) -> Receipt | None:
        await barrier.wait()
        return await receipt(order)

    await asyncio.gather(*(one(order) for order in sold * 2))
    found = await all_of(sold[0])
    assert [one.number for one in found] == [1, 2, 3, 4, 5, 6]
    assert {one.order_id for one in found} == {order.order_id for order in sold}


async def test_those_issued_together_are_those_that_each_would_have_alone(pool: Pool) -> None:
    sale = await make_sale(pool, capacity=20)
    sold = [await pay_for(sale, await sale.hold(quantity), "en") for quantity in (1, 2, 3)]
    pending = (await sale.order(1)).order
    alone = await receipt(sold[1])
    async with transaction(pool, sold[0].organization_id) as conn:
        ids = [*(one.order_id for one in sold), pending.order_id]
        together = await issue_receipts(conn, MAKE_ID, sold[0].organization_id, ids)
        again = await issue_receipts(conn, MAKE_ID, sold[0].organization_id, ids)
    assert {one.receipt_id: one for one in again} == {one.receipt_id: one for one in together}
    by_order = {one.order_id: one for one in together}
    assert set(by_order) == {one.order_id for one in sold}
    assert by_order[sold[1].order_id] == alone
    assert sorted(one.number for one in together) == [1, 2, 3]
    assert [by_order[one.order_id].amount_minor for one in sold] == [2500, 5000, 7500]
    assert {one.event for one in together} == {by_order[sold[1].order_id].event}
    assert [[line.quantity for line in by_order[one.order_id].lines] for one in sold] == [[1], [2], [3]]


async def test_dying_between_any_two_statements_leaves_no_gap(pool: Pool) -> None:
    sale = await make_sale(pool, capacity=20)
    sold = [await pay_for(sale, await sale.hold(1), "en") for _ in range(3)]
    deaths = 0
    for order in sold:
        lives = 0
        while True:
            try:
                async with transaction(pool, order.organization_id) as conn:
                    dying = DyingConnection(conn, lives)
                    await issue_receipt(dying, MAKE_ID, order.organization_id, order.order_id)
                    # Every other time after the last statement too, before the commit.
                    await dying.execute("SELECT 1") if lives % 2 else None
                break
            except Died:
                lives, deaths = lives + 1, deaths + 1
    assert deaths > 9
    assert [one.number for one in await all_of(sold[0])] == [1, 2, 3]


async def test_organizations_number_apart_and_nothing_changes_a_receipt(pool: Pool) -> None:
    one, other = await sell(pool, 1), await sell(pool, 1)
    first, second = await receipt(one), await receipt(other)
    assert first is not None
    assert second is not None
    assert (first.number, second.number) == (1, 1)
    for statement in ("UPDATE receipts SET number = 9", "DELETE FROM receipts"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(pool, EVERY_ORGANIZATION) as conn:
                await conn.execute(statement)
    assert list(await all_of(one)) == [first]
