"""Refunds reach their provider once, however often they are tried, and are never forgotten."""

import asyncio

import pytest
from harness.crashes import Died
from harness.providers import FaultyProvider, away
from harness.sale import Sale, make_sale

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.rules import Order, OrderNotFound
from fullhouse.payments.ledger import Account
from fullhouse.payments.providers.port import Providers
from fullhouse.payments.request_refund import RefundRequest, request_refund
from fullhouse.payments.rules import (
    ProviderRefused,
    Refund,
    RefundNotFailed,
    RefundNotFound,
    RefundStatus,
    RefundTooLarge,
)
from fullhouse.payments.send_refunds import retry_refund, send_refunds
from fullhouse.payments.settle_payment import settle_payment
from fullhouse.payments.starting.send_attempts import attempt_of as key_of


async def paid(pool: Pool) -> tuple[Sale, FaultyProvider, Order]:
    sale = await make_sale(pool)
    provider = FaultyProvider(sale.simulated)
    sale.providers = Providers({"simulated": sale.simulated, "faulty": provider})
    order = (await sale.order()).order
    await sale.pay(order.order_id, provider="faulty")
    await pool.execute("UPDATE simulated_charges SET notified_at = clock_timestamp()")
    payment = (await sale.payments(order.order_id))[0]
    charge = await sale.simulated.fetch(key_of(payment))
    assert charge is not None
    async with transaction(pool, order.organization_id) as conn:
        await settle_payment(conn, system.make_id, order.organization_id, payment.payment_id, charge)
    return sale, provider, order


async def request(sale: Sale, order: Order, amount_minor: int, source: Account = Account.SALES) -> tuple[Refund, ...]:
    async with transaction(sale.pool, order.organization_id) as conn:
        wanted = RefundRequest(order.organization_id, order.order_id, amount_minor, "by_request", source)
        return await request_refund(conn, system.make_id, wanted)


async def send(sale: Sale) -> int:
    return await send_refunds(sale.pool, system.make_id, sale.providers)


async def make_due(pool: Pool) -> None:
    await pool.execute("UPDATE refunds SET retry_at = clock_timestamp() WHERE retry_at IS NOT NULL")


async def refunded_by_provider(pool: Pool) -> int:
    return await pool.fetchval("SELECT coalesce(sum(amount_minor), 0)::bigint FROM simulated_refunds")


async def test_a_refund_is_sent_and_entered(fresh_pool: Pool) -> None:
    sale, _, order = await paid(fresh_pool)
    (refund,) = await request(sale, order, 1999)
    assert await sale.balances() == {"provider:faulty": 5000, "sales": -3001, "refunds": -1999}
    assert await send(sale) == 1
    (done,) = await sale.refunds(order.order_id)
    assert (done.refund_id, done.status, done.amount_minor) == (refund.refund_id, RefundStatus.SUCCEEDED, 1999)
    assert await sale.balances() == {"provider:faulty": 3001, "sales": -3001}
    assert await send(sale) == 0
    assert await refunded_by_provider(fresh_pool) == 1999


async def test_more_than_is_left_is_refused(fresh_pool: Pool) -> None:
    sale, _, order = await paid(fresh_pool)
    await request(sale, order, 4000)
    with pytest.raises(RefundTooLarge) as refused:
        await request(sale, order, 1001)
    assert refused.value.fields["refundable_minor"] == 1000
    assert [refund.amount_minor for refund in await sale.refunds(order.order_id)] == [4000]
    await request(sale, order, 1000)


async def test_many_requests_at_once_never_exceed_what_was_paid(fresh_pool: Pool) -> None:
    sale, _, order = await paid(fresh_pool)
    results = await asyncio.gather(*(request(sale, order, 1500) for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(result, RefundTooLarge) for result in results) == 3
    assert sum(refund.amount_minor for refund in await sale.refunds(order.order_id)) == 4500


async def test_a_provider_that_is_away_is_tried_again_later(fresh_pool: Pool) -> None:
    sale, provider, order = await paid(fresh_pool)
    provider.faults["refund"] = [away(), away()]
    await request(sale, order, 5000)
    assert await send(sale) == 0
    assert await send(sale) == 0
    assert provider.calls.count("refund") == 1
    await make_due(fresh_pool)
    assert await send(sale) == 0
    await make_due(fresh_pool)
    assert await send(sale) == 1
    assert [one.attempts for one in await sale.refunds(order.order_id)] == [3]
    assert await refunded_by_provider(fresh_pool) == 5000


async def test_a_lost_answer_refunds_once(fresh_pool: Pool) -> None:
    sale, provider, order = await paid(fresh_pool)
    provider.answers_lost = True
    provider.faults["refund"] = [away()]
    await request(sale, order, 5000)
    assert await send(sale) == 0
    await make_due(fresh_pool)
    assert await send(sale) == 1
    assert await refunded_by_provider(fresh_pool) == 5000


async def test_a_process_that_dies_after_the_call_refunds_once(fresh_pool: Pool) -> None:
    sale, provider, order = await paid(fresh_pool)
    provider.answers_lost = True
    provider.faults["refund"] = [Died()]
    await request(sale, order, 5000)
    with pytest.raises(Died):
        await send(sale)
    assert await send(sale) == 0
    await make_due(fresh_pool)
    assert await send(sale) == 1
    assert await refunded_by_provider(fresh_pool) == 5000
    assert len(await sale.messages("refund.succeeded")) == 1


async def test_a_refund_that_is_not_done_yet_is_asked_for_again(fresh_pool: Pool) -> None:
    sale, provider, order = await paid(fresh_pool)
    provider.undecided = True
    await request(sale, order, 5000)
    assert await send(sale) == 0
    assert [one.status for one in await sale.refunds(order.order_id)] == [RefundStatus.REQUESTED]
    provider.undecided = False
    await make_due(fresh_pool)
    assert await send(sale) == 1


async def test_what_is_refused_for_good_waits_for_somebody(fresh_pool: Pool) -> None:
    sale, provider, order = await paid(fresh_pool)
    provider.faults["refund"] = [ProviderRefused("The account is closed.")]
    (refund,) = await request(sale, order, 5000)
    assert await send(sale) == 0
    assert [one.status for one in await sale.refunds(order.order_id)] == [RefundStatus.FAILED]
    assert len(await sale.messages("refund.failed")) == 1
    assert await sale.balances() == {"provider:faulty": 5000, "refunds": -5000}
    await make_due(fresh_pool)
    assert await send(sale) == 0
    async with transaction(fresh_pool, order.organization_id) as conn:
        await retry_refund(conn, system.make_id, order.organization_id, refund.refund_id)
    assert await send(sale) == 1
    assert await sale.balances() == {}
    with pytest.raises(RefundNotFailed):
        async with transaction(fresh_pool, order.organization_id) as conn:
            await retry_refund(conn, system.make_id, order.organization_id, refund.refund_id)


async def test_several_processes_send_once(fresh_pool: Pool) -> None:
    sale, provider, order = await paid(fresh_pool)
    for _ in range(4):
        await request(sale, order, 1000)
    assert sum(await asyncio.gather(*(send(sale) for _ in range(5)))) == 4
    assert provider.calls.count("refund") == 4
    assert await refunded_by_provider(fresh_pool) == 4000


async def test_other_organizations_refund_nothing(fresh_pool: Pool) -> None:
    sale, _, order = await paid(fresh_pool)
    other = await make_sale(fresh_pool)
    wanted = RefundRequest(other.made.organization_id, order.order_id, 1, "by_request", Account.SALES)
    with pytest.raises(OrderNotFound):
        async with transaction(fresh_pool, wanted.organization_id) as conn:
            await request_refund(conn, system.make_id, wanted)
    (refund,) = await request(sale, order, 1)
    with pytest.raises(RefundNotFound):
        async with transaction(fresh_pool, other.made.organization_id) as conn:
            await retry_refund(conn, system.make_id, other.made.organization_id, refund.refund_id)
    assert len(await sale.refunds(order.order_id)) == 1
