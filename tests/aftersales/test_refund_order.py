"""Refunds: tickets void, units ended, stock back and money requested, together and once."""

import asyncio
from typing import Any

import pytest
from harness.crashes import Died, DyingConnection
from harness.sale import make_sale
from harness.sold import Sold, sell, sell_seats
from harness.stock import counters, rectangle

from fullhouse.aftersales.refund_order import RefundedOrder, refund_order
from fullhouse.aftersales.rules import RefundWish
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.rules import OrderNotFound, OrderNotRefundable, OrderStatus
from fullhouse.payments.rules import RefundStatus, RefundTooLarge
from fullhouse.tickets.rules import TicketStatus


async def refund(sold: Sold, **wish: Any) -> RefundedOrder:
    async with transaction(sold.pool, sold.organization_id) as conn:
        return await refund_order(conn, system.make_id, sold.organization_id, sold.order_id, RefundWish(**wish))


async def ticket_states(sold: Sold) -> list[str]:
    return sorted(str(ticket.status) for ticket in await sold.tickets())


async def test_the_whole_order_goes_back(pool: Pool) -> None:
    sold = await sell(pool, 3)
    await sold.issue()
    done = await refund(sold)
    assert done.order.status is OrderStatus.REFUNDED
    assert (len(done.unit_ids), done.amount_minor, len(done.refunds)) == (3, 7500, 1)
    assert await ticket_states(sold) == [TicketStatus.VOID] * 3
    assert await sold.sale.live_units(sold.order_id) == 0
    assert await sold.sale.stock() == (10, 0, 0, 0)
    assert await sold.sale.balances() == {"provider:simulated": 7500, "refunds": -7500}
    await sold.sale.work()
    assert [one.status for one in await sold.sale.refunds(sold.order_id)] == [RefundStatus.SUCCEEDED]
    assert await sold.sale.balances() == {}
    assert len(await sold.announced("order.refunded")) == len(await sold.announced("ticket.voided")) == 1


async def test_one_unit_goes_back_and_the_others_stay(pool: Pool) -> None:
    sold = await sell(pool, 3)
    await sold.issue()
    (first, *_) = await sold.units()
    done = await refund(sold, unit_ids=(first.unit_id,))
    assert (done.order.status, done.amount_minor) == (OrderStatus.PAID, 2500)
    assert await ticket_states(sold) == [TicketStatus.VALID] * 2 + [TicketStatus.VOID]
    assert await sold.sale.stock() == (10, 0, 2, 0)
    rest = await refund(sold)
    assert (rest.order.status, rest.amount_minor) == (OrderStatus.REFUNDED, 5000)
    assert await sold.sale.stock() == (10, 0, 0, 0)
    await sold.sale.work()
    assert await sold.sale.balances() == {}


async def test_stock_stays_out_where_that_is_the_choice(pool: Pool) -> None:
    sold = await sell(pool, 2)
    await refund(sold, return_stock=False)
    assert await sold.sale.stock() == (10, 0, 2, 0)
    kept = await pool.fetch(
        "SELECT stock_returned, refund_id FROM refunded_units WHERE organization_id = $1", sold.organization_id
    )
    assert [row["stock_returned"] for row in kept] == [False, False]
    assert {row["refund_id"] for row in kept} == {one.refund_id for one in await sold.sale.refunds(sold.order_id)}


async def test_an_amount_alone_leaves_the_tickets_valid(pool: Pool) -> None:
    sold = await sell(pool, 2)
    await sold.issue()
    done = await refund(sold, amount_minor=1234)
    assert (done.order.status, done.unit_ids) == (OrderStatus.PAID, ())
    assert await ticket_states(sold) == [TicketStatus.VALID] * 2
    assert await sold.sale.stock() == (10, 0, 2, 0)
    with pytest.raises(RefundTooLarge) as refused:
        await refund(sold, amount_minor=3767)
    assert refused.value.fields["refundable_minor"] == 3766
    whole = await refund(sold)
    assert (whole.amount_minor, whole.order.status) == (3766, OrderStatus.REFUNDED)


async def test_a_free_order_goes_back_without_money(pool: Pool) -> None:
    sold = await sell(pool, 2, price_minor=0)
    done = await refund(sold)
    assert (done.order.status, done.amount_minor, done.refunds) == (OrderStatus.REFUNDED, 0, ())
    assert await sold.sale.stock() == (10, 0, 0, 0)


async def test_seats_go_back_on_sale(pool: Pool) -> None:
    sold = await sell_seats(pool, rectangle(2, 4), ("1-2", "1-3"))
    first, _ = await sold.units()
    await refund(sold, unit_ids=(first.unit_id,))
    rows = await pool.fetch(
        "SELECT state, count(*) FROM seats WHERE organization_id = $1 GROUP BY 1 ORDER BY 1", sold.organization_id
    )
    assert [tuple(row) for row in rows] == [(0, 7), (2, 1)]
    assert (await counters(pool, sold.sale.made, "stalls"))[1:] == (0, 1, 0)


async def test_six_refunds_at_once_of_the_whole_are_one(pool: Pool) -> None:
    sold = await sell(pool, 3)
    await sold.issue()
    barrier = asyncio.Barrier(6)

    async def one() -> RefundedOrder:
        await barrier.wait()
        return await refund(sold)

    results = await asyncio.gather(*(one() for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(result, OrderNotRefundable) for result in results) == 5
    assert await sold.sale.stock() == (10, 0, 0, 0)
    assert [one.amount_minor for one in await sold.sale.refunds(sold.order_id)] == [7500]


async def test_refunds_of_different_units_at_once_all_succeed(pool: Pool) -> None:
    sold = await sell(pool, 4)
    units = await sold.units()
    done = await asyncio.gather(*(refund(sold, unit_ids=(unit.unit_id,)) for unit in units))
    assert sorted(one.order.status for one in done) == [OrderStatus.PAID] * 3 + [OrderStatus.REFUNDED]
    assert await sold.sale.stock() == (10, 0, 0, 0)
    assert sum(one.amount_minor for one in await sold.sale.refunds(sold.order_id)) == 10000


async def test_refund_and_issue_race_and_no_valid_ticket_is_left(pool: Pool) -> None:
    for _ in range(8):
        sold = await sell(pool, 2)
        await asyncio.gather(sold.issue(), refund(sold))
        assert set(await ticket_states(sold)) <= {TicketStatus.VOID}
        assert await sold.sale.live_units(sold.order_id) == 0


async def test_dying_between_any_two_statements_refunds_nothing(pool: Pool) -> None:
    sold = await sell(pool, 2)
    await sold.issue()
    deaths = 0
    while True:
        try:
            async with transaction(pool, sold.organization_id) as conn:
                dying = DyingConnection(conn, deaths)
                await refund_order(dying, system.make_id, sold.organization_id, sold.order_id, RefundWish())
            break
        except Died:
            deaths += 1
        assert (await sold.sale.show(sold.order_id)).status is OrderStatus.PAID
        assert await sold.sale.stock() == (10, 0, 2, 0)
        assert await ticket_states(sold) == [TicketStatus.VALID] * 2
        assert await sold.sale.refunds(sold.order_id) == ()
        assert await sold.sale.balances() == {"provider:simulated": 5000, "sales": -5000}
    assert deaths > 15
    assert await sold.sale.stock() == (10, 0, 0, 0)


async def test_what_was_never_paid_or_is_anothers_is_not_refunded(pool: Pool) -> None:
    sale = await make_sale(pool)
    pending = (await sale.order()).order
    with pytest.raises(OrderNotRefundable):
        await refund(Sold(pool, sale, pending))
    sold, other = await sell(pool, 2), await make_sale(pool)
    foreign = other.made.organization_id
    with pytest.raises(OrderNotFound):
        async with transaction(pool, foreign) as conn:
            await refund_order(conn, system.make_id, foreign, sold.order_id, RefundWish())
    assert (await sold.sale.show(sold.order_id)).status is OrderStatus.PAID
    assert await sold.sale.stock() == (10, 0, 2, 0)
