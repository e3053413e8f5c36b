"""Attempts that nobody ended: past their deadline they are cancelled; a lost notice is healed by asking."""

import asyncio
from datetime import datetime, timedelta

from harness.providers import FaultyProvider, away
from harness.sale import Sale, make_sale

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool
from fullhouse.orders.rules import Order, OrderStatus
from fullhouse.payments.expire_attempts import expire_attempts
from fullhouse.payments.providers.port import Providers
from fullhouse.payments.rules import Payment, PaymentStatus
from fullhouse.reservations.expire_reservations import expire_reservations


async def faulty_sale(pool: Pool, outcome: str = "late") -> tuple[Sale, FaultyProvider, Order, Payment]:
    sale = await make_sale(pool, capacity=2)
    provider = FaultyProvider(sale.simulated)
    sale.providers = Providers({"simulated": sale.simulated, "faulty": provider})
    order = (await sale.order()).order
    return sale, provider, order, await sale.pay(order.order_id, outcome, provider="faulty")


async def sweep(sale: Sale, *, ask_after_seconds: float = 120) -> int:
    return await expire_attempts(sale.pool, system.make_id, sale.providers, ask_after_seconds=ask_after_seconds)


async def let_time_pass(sale: Sale, payment: Payment, seconds: int = 200) -> None:
    await sale.pool.execute(
        "UPDATE payments SET started_at = started_at - make_interval(secs => $2) WHERE payment_id = $1",
        payment.payment_id,
        seconds,
    )


async def test_who_left_gives_the_places_back_when_the_provider_has_confirmed(fresh_pool: Pool) -> None:
    sale = await make_sale(fresh_pool)
    placed = await sale.order()
    payment = await sale.pay(placed.order.order_id, "late")
    await sale.end_attempt(payment)
    assert await sweep(sale) == 1
    assert (await sale.payment(payment.payment_id)).status is PaymentStatus.CANCELLED
    assert await sale.stock() == (10, 2, 0, 0)
    await sale.lapse(placed)
    await expire_reservations(fresh_pool, system.make_id)
    await sale.work()
    assert (await sale.show(placed.order.order_id)).status is OrderStatus.EXPIRED
    assert await sale.stock() == (10, 0, 0, 0)
    assert await sweep(sale) == 0


async def test_a_lost_notice_is_healed_by_asking(fresh_pool: Pool) -> None:
    sale, provider, order, payment = await faulty_sale(fresh_pool, "succeed")
    await fresh_pool.execute("UPDATE simulated_charges SET notified_at = clock_timestamp()")
    assert await sweep(sale) == 0
    assert "fetch" not in provider.calls
    await let_time_pass(sale, payment)
    assert await sweep(sale) == 1
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID
    assert await sale.stock() == (2, 0, 2, 0)


async def test_a_notice_lost_until_the_deadline_is_honoured_and_not_cancelled(fresh_pool: Pool) -> None:
    sale, provider, order, payment = await faulty_sale(fresh_pool, "succeed")
    await sale.end_attempt(payment)
    assert await sweep(sale) == 1
    assert provider.calls[-1] == "cancel"
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID


async def test_what_is_still_open_is_asked_about_now_and_then(fresh_pool: Pool) -> None:
    sale, provider, order, payment = await faulty_sale(fresh_pool)
    await let_time_pass(sale, payment)
    assert [await sweep(sale) for _ in range(3)] == [0, 0, 0]
    assert provider.calls.count("fetch") == 1
    assert (await sale.show(order.order_id)).status is OrderStatus.PENDING


async def test_while_the_provider_is_away_the_places_stay_held(fresh_pool: Pool) -> None:
    sale, provider, order, payment = await faulty_sale(fresh_pool)
    provider.faults["cancel"] = [away()]
    await sale.end_attempt(payment)
    until: datetime = await fresh_pool.fetchval(
        "UPDATE reservations SET expires_at = clock_timestamp() + interval '5 seconds' RETURNING expires_at"
    )
    assert await sweep(sale) == 0
    prolonged: datetime = await fresh_pool.fetchval("SELECT expires_at FROM reservations")
    assert prolonged > until + timedelta(seconds=100)
    assert (await sale.show(order.order_id)).status is OrderStatus.PENDING
    assert await sweep(sale, ask_after_seconds=0) == 1
    assert (await sale.payment(payment.payment_id)).status is PaymentStatus.CANCELLED


async def test_while_the_provider_has_not_decided_the_places_stay_held(fresh_pool: Pool) -> None:
    sale, provider, _, payment = await faulty_sale(fresh_pool)
    provider.undecided = True
    await sale.end_attempt(payment)
    await fresh_pool.execute("UPDATE reservations SET expires_at = clock_timestamp() + interval '5 seconds'")
    assert await sweep(sale) == 0
    assert await sale.stock() == (2, 2, 0, 0)
    left = await fresh_pool.fetchval("SELECT expires_at - clock_timestamp() FROM reservations")
    assert left > timedelta(seconds=100)


async def test_a_hold_that_lapsed_anyway_stops_nothing(fresh_pool: Pool) -> None:
    sale, provider, _, payment = await faulty_sale(fresh_pool)
    provider.faults["cancel"] = [away()]
    await sale.end_attempt(payment)
    await fresh_pool.execute("UPDATE reservations SET expires_at = clock_timestamp() - interval '1 second'")
    assert await sweep(sale) == 0
    assert await sweep(sale, ask_after_seconds=0) == 1


async def test_a_provider_that_is_no_longer_offered_stops_nothing(fresh_pool: Pool) -> None:
    sale, _, _, gone = await faulty_sale(fresh_pool)
    sale.providers = Providers({"simulated": sale.simulated})
    other = await make_sale(fresh_pool)
    payment = await other.pay((await other.order()).order.order_id, "late")
    for one in (gone, payment):
        await sale.end_attempt(one)
    assert await sweep(sale) == 1
    assert (await other.payment(payment.payment_id)).status is PaymentStatus.CANCELLED
    assert (await sale.payment(gone.payment_id)).status is PaymentStatus.STARTED


async def test_several_processes_ask_once(fresh_pool: Pool) -> None:
    sale, provider, order, payment = await faulty_sale(fresh_pool, "succeed")
    await sale.end_attempt(payment)
    assert sum(await asyncio.gather(*(sweep(sale) for _ in range(5)))) == 1
    assert provider.calls.count("cancel") == 1
    assert await sale.live_units(order.order_id) == 2
