"""Declined payments: another card while the hold lasts; after the last try the places go back."""

import asyncio
from uuid import UUID

import pytest
from harness.sale import Sale, make_sale

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.rules import OrderNotPending, OrderStatus
from fullhouse.payments.close_declined_order import close_declined_order
from fullhouse.payments.rules import PaymentDeclined, PaymentStatus


async def decline(sale: Sale, order_id: UUID) -> list[str]:
    await sale.pay(order_id, "decline")
    await sale.deliver()
    return await sale.work()


async def test_a_declined_payment_can_be_tried_again_with_success(pool: Pool) -> None:
    sale = await make_sale(pool)
    order = (await sale.order()).order
    assert "payment.declined" in await decline(sale, order.order_id)
    assert (await sale.show(order.order_id)).status is OrderStatus.PENDING
    assert await sale.stock() == (10, 2, 0, 0)
    await sale.pay(order.order_id)
    await sale.deliver()
    await sale.work()
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID
    first, second = await sale.payments(order.order_id)
    assert (first.status, first.reason, first.attempt) == (PaymentStatus.DECLINED, "card_declined", 1)
    assert (second.status, second.attempt) == (PaymentStatus.SUCCEEDED, 2)


async def test_after_the_third_try_the_places_go_back_and_the_buyer_hears_of_it(pool: Pool) -> None:
    sale = await make_sale(pool)
    order = (await sale.order()).order
    for _ in range(2):
        await decline(sale, order.order_id)
        assert await sale.stock() == (10, 2, 0, 0)
    assert "order.cancelled" in await decline(sale, order.order_id)
    assert (await sale.show(order.order_id)).status is OrderStatus.CANCELLED
    assert await sale.stock() == (10, 0, 0, 0)
    (told,) = await sale.messages("order.cancelled")
    assert told.data["reason"] == "payment_declined"
    with pytest.raises(OrderNotPending):
        await sale.pay(order.order_id)
    assert len(await sale.payments(order.order_id)) == 3


async def test_one_try_where_the_session_says_so(pool: Pool) -> None:
    sale = await make_sale(pool, release_on_decline=True)
    order = (await sale.order()).order
    await decline(sale, order.order_id)
    assert (await sale.show(order.order_id)).status is OrderStatus.CANCELLED
    assert await sale.stock() == (10, 0, 0, 0)


async def test_between_the_last_decline_and_its_consequence_nothing_begins(pool: Pool) -> None:
    sale = await make_sale(pool, release_on_decline=True)
    order = (await sale.order()).order
    await sale.pay(order.order_id, "decline")
    await sale.deliver()
    (notice,) = await sale.messages("payment.notice_received")
    await sale.react(notice)
    with pytest.raises(PaymentDeclined) as refused:
        await sale.pay(order.order_id)
    assert refused.value.fields == {"tries_left": 0, "reason": "card_declined"}
    assert len(await sale.payments(order.order_id)) == 1


async def test_the_consequence_of_a_decline_happens_once(pool: Pool) -> None:
    sale = await make_sale(pool, release_on_decline=True)
    order = (await sale.order()).order
    await sale.pay(order.order_id, "decline")
    await sale.deliver()
    (notice,) = await sale.messages("payment.notice_received")
    await sale.react(notice)
    (declined,) = await sale.messages("payment.declined")

    async def react() -> bool:
        async with transaction(pool, declined.organization_id) as conn:
            return await close_declined_order(conn, system.make_id, declined)

    assert sorted(await asyncio.gather(*(react() for _ in range(6)))) == [False] * 5 + [True]
    assert await sale.stock() == (10, 0, 0, 0)
    assert len(await sale.messages("order.cancelled")) == 1


async def test_a_decline_that_is_heard_after_the_next_try_began_closes_nothing(pool: Pool) -> None:
    sale = await make_sale(pool)
    order = (await sale.order()).order
    for _ in range(2):
        await decline(sale, order.order_id)
    declined = (await sale.messages("payment.declined"))[-1]
    await sale.pay(order.order_id)
    async with transaction(pool, declined.organization_id) as conn:
        assert not await close_declined_order(conn, system.make_id, declined)
    await sale.deliver()
    await sale.work()
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID
