"""Money that comes when the hold is gone: places again if there are any, else a refund, in the same transaction."""

import asyncio
from dataclasses import replace

import pytest
from harness.crashes import Died, DyingConnection
from harness.sale import Sale, make_sale
from harness.stock import box_office, make_seated_session, rectangle

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.queries import load_lines, load_units
from fullhouse.orders.rules import Order, OrderStatus
from fullhouse.payments.apply_notice import apply_notice
from fullhouse.payments.rules import Charge, ChargeStatus, Payment, PaymentStatus, RefundStatus
from fullhouse.payments.settle_payment import settle_payment
from fullhouse.reservations.expire_reservations import expire_reservations
from fullhouse.reservations.rules import ItemRequest, SoldOut


async def late_sale(pool: Pool, *, capacity: int = 2) -> tuple[Sale, Order, Payment]:
    """Order everything, pay late, and let the hold lapse before the money comes."""
    sale = await make_sale(pool, capacity=capacity)
    placed = await sale.order(2)
    payment = await sale.pay(placed.order.order_id, "late")
    await sale.lapse(placed)
    await expire_reservations(pool, system.make_id)
    await sale.work()
    assert (await sale.show(placed.order.order_id)).status is OrderStatus.EXPIRED
    return sale, placed.order, payment


async def come_late(sale: Sale, payment: Payment) -> list[str]:
    await sale.make_due(payment)
    await sale.deliver()
    return await sale.work()


async def test_late_money_gets_the_same_places_while_they_are_free(pool: Pool) -> None:
    sale, order, payment = await late_sale(pool)
    assert await sale.stock() == (2, 0, 0, 0)
    types = await come_late(sale, payment)
    assert types == ["payment.notice_received", "payment.succeeded", "reservation.sold", "order.paid"]
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID
    assert await sale.stock() == (2, 0, 2, 0)
    assert await sale.live_units(order.order_id) == 2
    assert await sale.refunds(order.order_id) == ()


async def test_late_money_without_places_is_asked_back_and_given_back(pool: Pool) -> None:
    sale, order, payment = await late_sale(pool)
    await sale.hold(2)
    await sale.make_due(payment)
    await sale.deliver()
    (notice,) = await sale.messages("payment.notice_received")
    async with transaction(pool, notice.organization_id) as conn:
        await apply_notice(conn, system.make_id, sale.providers, notice)
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID_UNSEATED
    (refund,) = await sale.refunds(order.order_id)
    assert (refund.amount_minor, refund.reason, refund.status) == (5000, "unseated", RefundStatus.REQUESTED)
    assert await sale.balances() == {"provider:simulated": 5000, "refunds": -5000}
    await sale.work()
    assert (await sale.show(order.order_id)).status is OrderStatus.REFUNDED
    assert [one.status for one in await sale.refunds(order.order_id)] == [RefundStatus.SUCCEEDED]
    assert await sale.balances() == {}
    assert await sale.live_units(order.order_id) == 0
    assert await sale.stock() == (2, 2, 0, 0)
    told = await sale.messages("order.paid_unseated", "order.refunded", "refund.requested", "refund.succeeded")
    assert sorted(message.type for message in told) == [
        "order.paid_unseated",
        "order.refunded",
        "refund.requested",
        "refund.succeeded",
    ]
    assert await sale.messages("order.paid") == []


async def test_dying_anywhere_while_late_money_is_settled_leaves_neither_half(pool: Pool) -> None:
    sale, order, payment = await late_sale(pool)
    await sale.hold(2)
    await sale.make_due(payment)
    await sale.deliver()
    (notice,) = await sale.messages("payment.notice_received")
    deaths = 0
    while True:
        try:
            async with transaction(pool, notice.organization_id) as conn:
                await apply_notice(DyingConnection(conn, deaths), system.make_id, sale.providers, notice)
            break
        except Died:
            deaths += 1
        assert (await sale.show(order.order_id)).status is OrderStatus.EXPIRED
        assert await sale.refunds(order.order_id) == ()
        assert await sale.balances() == {}
    assert deaths > 10
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID_UNSEATED
    assert len(await sale.refunds(order.order_id)) == 1


@pytest.mark.parametrize("is_held", [True, False])
async def test_money_for_a_cancelled_session_is_asked_back_and_its_stock_is_free(pool: Pool, is_held: bool) -> None:
    sale = await make_sale(pool, capacity=2)
    placed = await sale.order(2)
    payment = await sale.pay(placed.order.order_id)
    if not is_held:
        await sale.lapse(placed)
        await expire_reservations(pool, system.make_id)
    await pool.execute("UPDATE sessions SET status = 'cancelled' WHERE session_id = $1", sale.made.session_id)
    await come_late(sale, payment)
    assert (await sale.show(placed.order.order_id)).status is OrderStatus.REFUNDED
    assert await sale.stock() == (2, 0, 0, 0)
    assert await sale.balances() == {}


async def test_money_that_comes_when_the_show_is_over_is_asked_back(pool: Pool) -> None:
    sale, order, payment = await late_sale(pool)
    await pool.execute(
        "UPDATE sessions SET starts_at = clock_timestamp() - interval '1 day' WHERE session_id = $1",
        sale.made.session_id,
    )
    await come_late(sale, payment)
    assert (await sale.show(order.order_id)).status is OrderStatus.REFUNDED
    assert await sale.stock() == (2, 0, 0, 0)


async def test_a_second_payment_that_wins_for_an_unseated_order_is_given_back_too(pool: Pool) -> None:
    sale, order, first = await late_sale(pool)
    await sale.hold(2)
    await come_late(sale, first)
    assert (await sale.show(order.order_id)).status is OrderStatus.REFUNDED
    async with transaction(pool, order.organization_id) as conn:
        more = Charge("ref", ChargeStatus.CAPTURED, 2 * first.amount_minor)
        await settle_payment(conn, system.make_id, order.organization_id, first.payment_id, more)
    refunds = await sale.refunds(order.order_id)
    assert [(refund.amount_minor, refund.reason) for refund in refunds] == [(5000, "unseated"), (5000, "excess")]
    assert await sale.balances() == {"provider:simulated": 5000, "refunds": -5000}


async def test_money_and_expiry_race_and_the_buyer_has_places_or_a_refund(pool: Pool) -> None:
    for _ in range(15):
        sale = await make_sale(pool, capacity=2)
        placed = await sale.order(2)
        payment = await sale.pay(placed.order.order_id)
        await sale.lapse(placed)
        captured = Charge("ref", ChargeStatus.CAPTURED, payment.amount_minor)
        barrier = asyncio.Barrier(3)

        async def pay(barrier: asyncio.Barrier, sale: Sale, payment: Payment, captured: Charge) -> None:
            await barrier.wait()
            async with transaction(sale.pool, payment.organization_id) as conn:
                ids = (payment.organization_id, payment.payment_id)
                await settle_payment(conn, system.make_id, *ids, captured)

        async def expire(barrier: asyncio.Barrier, pool: Pool) -> None:
            await barrier.wait()
            await expire_reservations(pool, system.make_id)

        async def snatch(barrier: asyncio.Barrier, sale: Sale) -> bool:
            await barrier.wait()
            try:
                await sale.hold(2)
            except SoldOut:
                return False
            return True

        _, _, snatched = await asyncio.gather(
            pay(barrier, sale, payment, captured), expire(barrier, pool), snatch(barrier, sale)
        )
        await sale.work()
        order = await sale.show(placed.order.order_id)
        if snatched:
            assert order.status is OrderStatus.REFUNDED
            assert await sale.stock() == (2, 2, 0, 0)
            assert await sale.balances() == {}
        else:
            assert order.status is OrderStatus.PAID
            assert await sale.stock() == (2, 0, 2, 0)
            assert await sale.balances() == {"provider:simulated": 5000, "sales": -5000}
        assert (await sale.payment(payment.payment_id)).status is PaymentStatus.SUCCEEDED


async def seated_sale(pool: Pool, seats: tuple[str, ...]) -> tuple[Sale, Order, Payment]:
    """Order seats of a small room, pay late, and let the hold lapse."""
    like = await make_sale(pool)
    made = await make_seated_session(pool, rectangle(2, 6))
    sale = replace(like, made=made, office=box_office(pool), handled=[])
    held = await sale.office.place_reservation(made.session_id, (ItemRequest(made.types["adult"], seats=seats),))
    placed = await sale.order(placed=held)
    payment = await sale.pay(placed.order.order_id, "late")
    await sale.lapse(placed)
    await expire_reservations(pool, system.make_id)
    await sale.work()
    return sale, placed.order, payment


async def take(sale: Sale, *seats: str) -> None:
    await sale.office.place_reservation(sale.made.session_id, (ItemRequest(sale.made.types["adult"], seats=seats),))


async def seats_of(sale: Sale, order: Order) -> tuple[list[str], list[str]]:
    """Return the keys of an order's lines and of its live units."""
    async with transaction(sale.pool, order.organization_id) as conn:
        lines = await load_lines(conn, order.organization_id, order.order_id)
        units = await load_units(conn, order.organization_id, order.order_id)
    return [seat.key for line in lines for seat in line.seats], [unit.seat.key for unit in units if unit.seat]


async def test_late_money_gets_the_same_seats_while_they_are_free(pool: Pool) -> None:
    sale, order, payment = await seated_sale(pool, ("1-3", "1-4"))
    await come_late(sale, payment)
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID
    assert await seats_of(sale, order) == (["1-3", "1-4"], ["1-3", "1-4"])


async def test_late_money_gets_equal_seats_together_and_the_order_says_which(pool: Pool) -> None:
    sale, order, payment = await seated_sale(pool, ("1-3", "1-4"))
    await take(sale, "1-3")
    await come_late(sale, payment)
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID
    lines, units = await seats_of(sale, order)
    assert lines == units
    assert len(set(lines)) == 2
    assert "1-3" not in lines
    assert len({key.split("-")[0] for key in lines}) == 1
    sold = await pool.fetch(
        "SELECT seat_index FROM seats WHERE organization_id = $1 AND state = 2 ORDER BY 1", order.organization_id
    )
    indexes = await pool.fetch(
        "SELECT seat_index FROM units WHERE organization_id = $1 AND status = 'live' ORDER BY 1", order.organization_id
    )
    assert [row["seat_index"] for row in sold] == [row["seat_index"] for row in indexes]
    assert await sale.refunds(order.order_id) == ()


async def test_without_equal_seats_late_money_is_asked_back(pool: Pool) -> None:
    sale, order, payment = await seated_sale(pool, ("1-3", "1-4"))
    await pool.execute("UPDATE sessions SET reseat_equal = false WHERE session_id = $1", sale.made.session_id)
    await take(sale, "1-3")
    await come_late(sale, payment)
    assert (await sale.show(order.order_id)).status is OrderStatus.REFUNDED
    assert await sale.live_units(order.order_id) == 0
    assert await sale.balances() == {}
