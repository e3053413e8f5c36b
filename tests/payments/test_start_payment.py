"""Starting payments: the row before the call, one at a time, the hold following the attempt."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from harness.providers import FaultyProvider, away
from harness.sale import NOTICE_KEY, Sale, make_sale

from fullhouse.core.errors import Invalid
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.rules import OrderAlreadyPaid, OrderNotFound, OrderStatus
from fullhouse.payments.expire_attempts import expire_attempts
from fullhouse.payments.providers.offered import PaymentTerms, open_providers
from fullhouse.payments.providers.port import Providers
from fullhouse.payments.providers.simulated import SimulatedProvider
from fullhouse.payments.rules import Payment, PaymentOpen, PaymentStatus, ProviderRefused, ProviderUnknown
from fullhouse.payments.starting.open_attempts import PaymentRequest
from fullhouse.payments.starting.start_payment import open_attempt, send_attempt
from fullhouse.reservations.rules import ReservationExpired


async def hold_of(sale: Sale, reservation_id: UUID) -> datetime:
    return await sale.pool.fetchval("SELECT expires_at FROM reservations WHERE reservation_id = $1", reservation_id)


def faulty(pool: Pool) -> FaultyProvider:
    return FaultyProvider(SimulatedProvider(pool, system.make_id, system.now, (NOTICE_KEY,), 3600))


async def test_the_hold_follows_the_attempt_and_a_margin(pool: Pool) -> None:
    sale = await make_sale(pool, extra_providers={"slow": faulty(pool)})
    placed = await sale.order()
    payment = await sale.pay(placed.order.order_id)
    assert payment.deadline_at - payment.started_at <= timedelta(seconds=600)
    assert await hold_of(sale, placed.order.reservation_id) == placed.expires_at
    await sale.deliver()
    placed = await sale.order()
    payment = await sale.pay(placed.order.order_id, provider="slow")
    assert timedelta(seconds=1799) < payment.deadline_at - payment.started_at <= timedelta(seconds=1800)
    assert await hold_of(sale, placed.order.reservation_id) == payment.deadline_at + timedelta(seconds=60)


async def test_only_one_attempt_is_open_at_a_time(pool: Pool) -> None:
    sale = await make_sale(pool)
    order = (await sale.order()).order
    barrier = asyncio.Barrier(6)

    async def one() -> Payment:
        await barrier.wait()
        return await sale.pay(order.order_id, "late")

    results = await asyncio.gather(*(one() for _ in range(6)), return_exceptions=True)
    (payment,) = [result for result in results if not isinstance(result, BaseException)]
    refused = [result for result in results if isinstance(result, PaymentOpen)]
    assert len(refused) == 5
    assert {str(error.fields["payment_id"]) for error in refused} == {str(payment.payment_id)}
    assert len(await sale.payments(order.order_id)) == 1
    assert (
        await pool.fetchval("SELECT count(*) FROM simulated_charges WHERE organization_id = $1", order.organization_id)
        == 1
    )


async def test_the_row_is_there_before_the_provider_is_called_and_no_transaction_is_open(pool: Pool) -> None:
    provider = faulty(pool)
    provider.pauses["start"] = asyncio.Event()
    sale = await make_sale(pool, extra_providers={"slow": provider})
    order = (await sale.order()).order
    task = asyncio.create_task(sale.pay(order.order_id, provider="slow"))
    await provider.called.wait()
    (payment,) = await sale.payments(order.order_id)
    assert (payment.status, payment.provider_key) == (PaymentStatus.STARTED, f"{order.order_id}:1:payment")
    open_transactions = await pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND datname = current_database()"
    )
    assert open_transactions == 0
    provider.pauses["start"].set()
    assert (await task).next_step == {"type": "wait"}


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(pool: Pool) -> None:
    provider = faulty(pool)
    provider.answers_lost = True
    provider.faults["start"] = [away()]
    sale = await make_sale(pool, extra_providers={"slow": provider})
    order = (await sale.order()).order
    payment = await sale.pay(order.order_id, provider="slow")
    assert provider.calls == ["start", "start"]
    assert payment.status is PaymentStatus.STARTED
    assert (await sale.payment(payment.payment_id)).provider_reference is not None
    assert await pool.fetchval("SELECT count(*) FROM simulated_charges WHERE payment_id = $1", payment.payment_id) == 1


async def test_an_answer_that_never_comes_does_not_lose_the_money(pool: Pool) -> None:
    sale = await make_sale(pool)
    order = (await sale.order()).order
    payment = await sale.pay(order.order_id, "lost_answer")
    assert (payment.status, payment.provider_reference, payment.next_step) == (PaymentStatus.STARTED, None, None)
    await sale.deliver()
    await sale.work()
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID
    assert (await sale.payment(payment.payment_id)).provider_reference is not None


async def test_a_provider_that_refuses_for_good_is_a_decline(pool: Pool) -> None:
    provider = faulty(pool)
    provider.faults["start"] = [ProviderRefused("The amount is too small.", reason="amount_not_possible")]
    sale = await make_sale(pool, extra_providers={"slow": provider})
    order = (await sale.order()).order
    payment = await sale.pay(order.order_id, provider="slow")
    assert (payment.status, payment.reason) == (PaymentStatus.DECLINED, "amount_not_possible")
    assert len(await sale.messages("payment.declined")) == 1


async def test_a_process_that_dies_before_the_call_leaves_an_attempt_that_ends(pool: Pool) -> None:
    sale = await make_sale(pool)
    order = (await sale.order()).order
    request = PaymentRequest(order.organization_id, order.order_id, "simulated", {})
    async with transaction(pool, request.organization_id) as conn:
        payment = await open_attempt(conn, system.make_id, sale.providers, request)
    await sale.end_attempt(payment)
    await expire_attempts(pool, system.make_id, sale.providers)
    assert (await sale.payment(payment.payment_id)).status is PaymentStatus.CANCELLED
    # The call that was on its way arrives after all, and finds itself cancelled.
    await send_attempt(pool, system.make_id, sale.providers, order.organization_id, payment.payment_id)
    await sale.deliver()
    await sale.work()
    assert (await sale.show(order.order_id)).status is OrderStatus.PENDING
    assert await sale.balances() == {}
    assert (await sale.pay(order.order_id)).attempt == 2


async def test_the_same_attempt_sent_many_times_is_one_charge(pool: Pool) -> None:
    sale = await make_sale(pool)
    order = (await sale.order()).order
    request = PaymentRequest(order.organization_id, order.order_id, "simulated", {"outcome": "succeed"})
    async with transaction(pool, request.organization_id) as conn:
        payment = await open_attempt(conn, system.make_id, sale.providers, request)
    barrier = asyncio.Barrier(6)

    async def send() -> Payment:
        await barrier.wait()
        ids = (order.organization_id, payment.payment_id)
        return await send_attempt(pool, system.make_id, sale.providers, *ids)

    answers = await asyncio.gather(*(send() for _ in range(6)))
    assert all(answer.payment_id == payment.payment_id for answer in answers)
    assert await pool.fetchval("SELECT count(*) FROM simulated_charges WHERE payment_id = $1", payment.payment_id) == 1


async def test_what_cannot_be_paid_is_refused_and_nothing_is_written(pool: Pool) -> None:
    sale = await make_sale(pool)
    placed = await sale.order()
    order_id = placed.order.order_id
    before = await hold_of(sale, placed.order.reservation_id)
    with pytest.raises(ProviderUnknown) as unknown:
        await sale.pay(order_id, provider="gold")
    assert unknown.value.fields["errors"] == [{"field": "provider", "message": "Choose one of: simulated."}]
    with pytest.raises(ProviderUnknown) as none_offered:
        Providers({}).named("simulated")
    assert none_offered.value.fields["errors"] == [{"field": "provider", "message": "No way to pay is set up."}]
    with pytest.raises(Invalid):
        await sale.pay(order_id, "explode")
    with pytest.raises(OrderNotFound):
        await sale.pay(uuid4())
    await sale.lapse(placed)
    with pytest.raises(ReservationExpired):
        await sale.pay(order_id)
    assert await sale.payments(order_id) == ()
    assert await hold_of(sale, placed.order.reservation_id) < before
    free = await make_sale(pool, price_minor=0)
    paid = (await free.order()).order
    with pytest.raises(OrderAlreadyPaid):
        await free.pay(paid.order_id)


async def test_the_simulated_provider_is_only_there_when_it_is_offered(pool: Pool) -> None:
    offered = open_providers(pool, system.make_id, system.now, b"k" * 32, PaymentTerms(simulated=True))
    assert "simulated" in offered.by_name
    nothing = open_providers(pool, system.make_id, system.now, b"k" * 32, PaymentTerms(simulated=False))
    with pytest.raises(ProviderUnknown):
        nothing.named("simulated")
