"""Paying: the money and the places change hands in one transaction, once."""

import asyncio

import pytest
from harness.crashes import Died, DyingConnection
from harness.sale import Sale, make_sale

from fullhouse.core.money import Money
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.queries import load_units
from fullhouse.orders.rules import Order, OrderStatus
from fullhouse.payments.apply_notice import apply_notice
from fullhouse.payments.rules import Charge, ChargeStatus, Payment, PaymentStatus
from fullhouse.payments.settle_payment import settle_payment


def captured(payment: Payment, amount_minor: int | None = None) -> Charge:
    amount = payment.amount_minor if amount_minor is None else amount_minor
    return Charge(f"ref-{payment.payment_id}", ChargeStatus.CAPTURED, amount)


async def settle(sale: Sale, payment: Payment, charge: Charge) -> Payment:
    async with transaction(sale.pool, payment.organization_id) as conn:
        return await settle_payment(conn, system.make_id, payment.organization_id, payment.payment_id, charge)


async def started(sale: Sale, quantity: int = 2) -> tuple[Order, Payment]:
    order = (await sale.order(quantity)).order
    return order, await sale.pay(order.order_id)


async def test_success_sells_the_places_and_tells_of_it(pool: Pool) -> None:
    sale = await make_sale(pool, price_minor=1250)
    order, payment = await started(sale, 3)
    assert payment.status is PaymentStatus.STARTED
    await sale.deliver()
    assert await sale.work() == [
        "reservation.held",
        "order.placed",
        "payment.notice_received",
        "payment.succeeded",
        "reservation.sold",
        "order.paid",
    ]
    paid = await sale.show(order.order_id)
    assert paid.status is OrderStatus.PAID
    assert paid.paid_at is not None
    assert await sale.stock() == (10, 0, 3, 0)
    assert await sale.balances() == {"provider:simulated": 3750, "sales": -3750}
    assert await sale.refunds(order.order_id) == ()
    async with transaction(pool, order.organization_id) as conn:
        units = await load_units(conn, order.organization_id, order.order_id)
    assert [(unit.line_number, unit.number, unit.price_minor, unit.live) for unit in units] == [
        (1, 1, 1250, True),
        (1, 2, 1250, True),
        (1, 3, 1250, True),
    ]
    assert all(unit.quota_ids == (sale.made.category_quota,) for unit in units)


@pytest.mark.parametrize(
    ("currency", "price_minor", "shown"),
    [("JPY", 1200, "2400 JPY"), ("KWD", 1255, "2.510 KWD"), ("EUR", 1, "0.02 EUR")],
)
async def test_currencies_with_any_number_of_decimals_are_right(
    pool: Pool, currency: str, price_minor: int, shown: str
) -> None:
    sale = await make_sale(pool, price_minor=price_minor, currency=currency)
    order, payment = await started(sale)
    await sale.deliver()
    await sale.work()
    assert str(Money(order.total_minor, order.currency)) == shown
    assert (await sale.payment(payment.payment_id)).captured_minor == 2 * price_minor
    rows = await pool.fetch(
        "SELECT DISTINCT currency FROM ledger_entries WHERE organization_id = $1", order.organization_id
    )
    assert [row["currency"] for row in rows] == [currency]


async def test_the_same_word_many_times_at_once_sells_once(pool: Pool) -> None:
    sale = await make_sale(pool)
    order, payment = await started(sale)
    barrier = asyncio.Barrier(8)

    async def one() -> Payment:
        await barrier.wait()
        return await settle(sale, payment, captured(payment))

    results = await asyncio.gather(*(one() for _ in range(8)))
    assert {result.status for result in results} == {PaymentStatus.SUCCEEDED}
    assert await sale.stock() == (10, 0, 2, 0)
    assert await sale.live_units(order.order_id) == 2
    assert len(await sale.messages("order.paid")) == len(await sale.messages("payment.succeeded")) == 1
    assert await sale.balances() == {"provider:simulated": 5000, "sales": -5000}
    assert await sale.refunds(order.order_id) == ()


async def test_more_than_the_total_goes_back(pool: Pool) -> None:
    sale = await make_sale(pool)
    order, payment = await started(sale)
    await settle(sale, payment, captured(payment, 5700))
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID
    (refund,) = await sale.refunds(order.order_id)
    assert (refund.amount_minor, refund.reason, refund.payment_id) == (700, "excess", payment.payment_id)
    assert await sale.balances() == {"provider:simulated": 5700, "sales": -5000, "refunds": -700}


async def test_less_than_the_total_buys_nothing_and_goes_back(pool: Pool) -> None:
    sale = await make_sale(pool)
    order, payment = await started(sale)
    await settle(sale, payment, captured(payment, 4999))
    assert (await sale.show(order.order_id)).status is OrderStatus.PENDING
    assert await sale.live_units(order.order_id) == 0
    assert await sale.stock() == (10, 2, 0, 0)
    (refund,) = await sale.refunds(order.order_id)
    assert (refund.amount_minor, refund.reason) == (4999, "short")


async def test_money_for_an_order_that_is_paid_goes_back(pool: Pool) -> None:
    sale = await make_sale(pool)
    order, first = await started(sale)
    await settle(sale, first, Charge("r1", ChargeStatus.CANCELLED))
    second = await sale.pay(order.order_id)
    await settle(sale, second, captured(second))
    await settle(sale, first, captured(first))
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID
    assert await sale.live_units(order.order_id) == 2
    (refund,) = await sale.refunds(order.order_id)
    assert (refund.amount_minor, refund.reason) == (5000, "excess")
    assert await sale.balances() == {"provider:simulated": 10000, "sales": -5000, "refunds": -5000}


async def test_two_payments_that_win_at_once_sell_once_and_one_goes_back(pool: Pool) -> None:
    for _ in range(5):
        sale = await make_sale(pool)
        order, first = await started(sale)
        await settle(sale, first, Charge("r1", ChargeStatus.CANCELLED))
        second = await sale.pay(order.order_id)
        await asyncio.gather(settle(sale, first, captured(first)), settle(sale, second, captured(second)))
        assert await sale.stock() == (10, 0, 2, 0)
        assert await sale.live_units(order.order_id) == 2
        assert [refund.amount_minor for refund in await sale.refunds(order.order_id)] == [5000]
        assert len(await sale.messages("order.paid")) == 1


async def test_dying_between_any_two_statements_changes_nothing_and_the_next_try_settles(pool: Pool) -> None:
    sale = await make_sale(pool)
    order, payment = await started(sale)
    await sale.deliver()
    (notice,) = await sale.messages("payment.notice_received")
    before = await sale.messages("payment.succeeded", "order.paid", "reservation.sold", "refund.requested")
    deaths = 0
    while True:
        try:
            async with transaction(pool, notice.organization_id) as conn:
                await apply_notice(DyingConnection(conn, deaths), system.make_id, sale.providers, notice)
            break
        except Died:
            deaths += 1
        assert (await sale.show(order.order_id)).status is OrderStatus.PENDING
        assert (await sale.payment(payment.payment_id)).status is PaymentStatus.STARTED
        assert await sale.stock() == (10, 2, 0, 0)
        assert await sale.balances() == {}
        told = await sale.messages("payment.succeeded", "order.paid", "reservation.sold", "refund.requested")
        assert told == before == []
    assert deaths > 15
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID
    assert await sale.stock() == (10, 0, 2, 0)
    for _ in range(3):
        async with transaction(pool, notice.organization_id) as conn:
            await apply_notice(conn, system.make_id, sale.providers, notice)
    assert await sale.balances() == {"provider:simulated": 5000, "sales": -5000}
    assert len(await sale.messages("order.paid")) == 1
