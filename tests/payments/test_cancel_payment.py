"""Giving up: the provider's word first, then the stock; and what the provider takes after all is honoured."""

import asyncio
from uuid import UUID

import pytest
from harness.providers import FaultyProvider, away
from harness.sale import Sale, make_sale

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.rules import Order, OrderAlreadyPaid, OrderNotFound, OrderNotPending, OrderStatus
from fullhouse.payments.cancel_payment import abandon_order, cancel_payment
from fullhouse.payments.rules import (
    Charge,
    ChargeStatus,
    PaymentNotFound,
    PaymentOpen,
    PaymentStatus,
    ProviderUnavailable,
    RefundStatus,
)
from fullhouse.payments.settle_payment import settle_payment


async def abandon(sale: Sale, order: Order) -> Order:
    return await abandon_order(sale.pool, system.make_id, sale.providers, order.organization_id, order.order_id)


async def faulty_sale(pool: Pool) -> tuple[Sale, FaultyProvider]:
    sale = await make_sale(pool, capacity=2)
    provider = FaultyProvider(sale.simulated)
    sale.providers = type(sale.providers)({"simulated": sale.simulated, "faulty": provider})
    return sale, provider


async def test_cancelling_an_order_without_payments_gives_its_stock_back(pool: Pool) -> None:
    sale = await make_sale(pool)
    order = (await sale.order()).order
    assert (await abandon(sale, order)).status is OrderStatus.CANCELLED
    assert (await abandon(sale, order)).status is OrderStatus.CANCELLED
    assert await sale.stock() == (10, 0, 0, 0)
    assert len(await sale.messages("order.cancelled")) == 1


async def test_the_open_payment_is_cancelled_first(pool: Pool) -> None:
    sale = await make_sale(pool)
    order = (await sale.order()).order
    payment = await sale.pay(order.order_id, "late")
    assert (await abandon(sale, order)).status is OrderStatus.CANCELLED
    assert (await sale.payment(payment.payment_id)).status is PaymentStatus.CANCELLED
    assert await sale.stock() == (10, 0, 0, 0)
    assert [m.type for m in await sale.messages("payment.cancelled", "order.cancelled", "reservation.released")] == [
        "payment.cancelled",
        "reservation.released",
        "order.cancelled",
    ]


async def test_a_cancelled_payment_that_captures_after_all_seats_the_buyer_again(pool: Pool) -> None:
    sale = await make_sale(pool, capacity=2)
    order = (await sale.order()).order
    payment = await sale.pay(order.order_id, "late")
    await abandon(sale, order)
    await sale.make_due(payment)
    await sale.deliver()
    await sale.work()
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID
    assert await sale.stock() == (2, 0, 2, 0)


async def test_a_cancelled_payment_that_captures_when_the_places_are_sold_is_refunded(pool: Pool) -> None:
    sale = await make_sale(pool, capacity=2)
    order = (await sale.order()).order
    payment = await sale.pay(order.order_id, "late")
    await abandon(sale, order)
    other = (await sale.order()).order
    await sale.make_due(payment)
    await sale.deliver()
    await sale.work()
    assert (await sale.show(order.order_id)).status is OrderStatus.REFUNDED
    assert [refund.status for refund in await sale.refunds(order.order_id)] == [RefundStatus.SUCCEEDED]
    assert (await sale.show(other.order_id)).status is OrderStatus.PENDING
    assert await sale.stock() == (2, 2, 0, 0)
    assert await sale.balances() == {}


async def test_a_payment_that_won_meanwhile_is_honoured(pool: Pool) -> None:
    sale = await make_sale(pool)
    order = (await sale.order()).order
    await sale.pay(order.order_id, "succeed")
    with pytest.raises(OrderAlreadyPaid):
        await abandon(sale, order)
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID
    assert await sale.stock() == (10, 0, 2, 0)
    await sale.deliver()
    await sale.work()
    assert await sale.balances() == {"provider:simulated": 5000, "sales": -5000}


async def test_while_the_provider_is_away_nothing_is_given_back(pool: Pool) -> None:
    sale, provider = await faulty_sale(pool)
    order = (await sale.order()).order
    payment = await sale.pay(order.order_id, "late", provider="faulty")
    provider.faults["cancel"] = [away()]
    with pytest.raises(ProviderUnavailable):
        await abandon(sale, order)
    assert (await sale.show(order.order_id)).status is OrderStatus.PENDING
    assert (await sale.payment(payment.payment_id)).status is PaymentStatus.STARTED
    assert await sale.stock() == (2, 2, 0, 0)
    assert (await abandon(sale, order)).status is OrderStatus.CANCELLED
    assert await sale.stock() == (2, 0, 0, 0)


async def test_while_the_provider_has_not_decided_nothing_is_given_back(pool: Pool) -> None:
    sale, provider = await faulty_sale(pool)
    order = (await sale.order()).order
    payment = await sale.pay(order.order_id, "late", provider="faulty")
    provider.undecided = True
    with pytest.raises(PaymentOpen) as refused:
        await abandon(sale, order)
    assert refused.value.fields["payment_id"] == str(payment.payment_id)
    assert await sale.stock() == (2, 2, 0, 0)
    assert (await sale.show(order.order_id)).status is OrderStatus.PENDING


async def test_cancel_and_pay_race_and_the_stock_is_either_sold_or_back(pool: Pool) -> None:
    for _ in range(15):
        sale = await make_sale(pool, capacity=2)
        order = (await sale.order()).order
        payment = await sale.pay(order.order_id, "late")
        barrier = asyncio.Barrier(2)
        captured = Charge("ref", ChargeStatus.CAPTURED, payment.amount_minor)

        async def win(sale: Sale, barrier: asyncio.Barrier, payment_id: UUID, captured: Charge) -> None:
            await barrier.wait()
            async with transaction(sale.pool, sale.made.organization_id) as conn:
                ids = (sale.made.organization_id, payment_id)
                await settle_payment(conn, system.make_id, *ids, captured)

        async def give_up(sale: Sale, barrier: asyncio.Barrier, order: Order) -> object:
            await barrier.wait()
            return await abandon(sale, order)

        _, given_up = await asyncio.gather(
            win(sale, barrier, payment.payment_id, captured), give_up(sale, barrier, order), return_exceptions=True
        )
        # The money came in every case, and there are places for it: the buyer always has them in the end.
        assert isinstance(given_up, (Order, OrderAlreadyPaid))
        assert (await sale.show(order.order_id)).status is OrderStatus.PAID
        assert await sale.stock() == (2, 0, 2, 0)
        assert await sale.live_units(order.order_id) == 2
        assert await sale.refunds(order.order_id) == ()


async def test_two_cancellations_and_a_new_attempt_race_and_nothing_is_given_back_under_it(pool: Pool) -> None:
    for _ in range(10):
        sale = await make_sale(pool, capacity=2)
        order = (await sale.order()).order
        results = await asyncio.gather(
            abandon(sale, order), sale.pay(order.order_id, "late"), abandon(sale, order), return_exceptions=True
        )
        if any(isinstance(one, PaymentOpen) for one in results):
            # Who came while the provider was being asked is told to try again.
            results = [one for one in results if not isinstance(one, PaymentOpen)] + [await abandon(sale, order)]
        assert all(isinstance(one, (Order, OrderNotPending)) or hasattr(one, "payment_id") for one in results)
        assert (await sale.show(order.order_id)).status is OrderStatus.CANCELLED
        assert {payment.status for payment in await sale.payments(order.order_id)} <= {PaymentStatus.CANCELLED}
        assert await sale.stock() == (2, 0, 0, 0)


async def test_other_organizations_cancel_nothing(pool: Pool) -> None:
    sale, other = await make_sale(pool), await make_sale(pool)
    order = (await sale.order()).order
    payment = await sale.pay(order.order_id, "late")
    foreign = other.made.organization_id
    with pytest.raises(OrderNotFound):
        await abandon_order(pool, system.make_id, sale.providers, foreign, order.order_id)
    with pytest.raises(PaymentNotFound):
        await cancel_payment(pool, system.make_id, sale.providers, foreign, payment.payment_id)
    assert (await sale.payment(payment.payment_id)).status is PaymentStatus.STARTED
    assert await sale.stock() == (10, 2, 0, 0)
