"""Refunds of whole sessions: every order once, whoever works on it and wherever they die."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from harness.crashes import Died, DyingConnection
from harness.sale import Sale, make_sale
from harness.sold import Sold, pay_for

from fullhouse.access.policies.refund import RefundAboveLimit
from fullhouse.access.rules import PERMISSIONS
from fullhouse.aftersales.retry_session_refund import retry_session_refund
from fullhouse.aftersales.session_refund_queries import list_failures, load_progress
from fullhouse.aftersales.session_refunds import Progress, SessionRefund, SessionStands
from fullhouse.aftersales.start_session_refund import start_session_refund
from fullhouse.aftersales.work_session_refunds import refund_next_order, work_session_refunds
from fullhouse.catalogue.cancel_session import cancel_session
from fullhouse.core.actor import Actor, ActorKind
from fullhouse.infra import system
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection, transaction
from fullhouse.organizations.rules import Role

MANAGER = Actor(ActorKind.API_KEY, permissions=PERMISSIONS[Role.MANAGER])
OWNER = Actor(ActorKind.API_KEY, permissions=PERMISSIONS[Role.OWNER])


async def sold_orders(pool: Pool, *quantities: int, **plan: Any) -> tuple[Sale, list[Sold]]:
    sale = await make_sale(pool, capacity=20, **plan)
    return sale, [await pay_for(sale, await sale.hold(quantity), "en") for quantity in quantities]


async def cancelled(sale: Sale) -> None:
    async with transaction(sale.pool, EVERY_ORGANIZATION) as conn:
        await cancel_session(conn, system.make_id, sale.made.organization_id, sale.made.session_id)


async def started(sale: Sale, by: Actor | None = OWNER, *, return_stock: bool = False) -> SessionRefund:
    async with transaction(sale.pool, EVERY_ORGANIZATION) as conn:
        return await start_session_refund(
            conn, system.make_id, sale.made.organization_id, sale.made.session_id, by, return_stock=return_stock
        )


async def progress(sale: Sale, job: SessionRefund) -> Progress:
    async with connection(sale.pool, EVERY_ORGANIZATION) as conn:
        return await load_progress(conn, job)


async def work_off(pool: Pool) -> None:
    """Do all that is to be done, other tests' leftovers too."""
    while await work_session_refunds(pool, system.make_id):
        pass


async def ended(sale: Sale, job: SessionRefund) -> bool:
    async with connection(sale.pool, EVERY_ORGANIZATION) as conn:
        return await conn.fetchval(
            "SELECT ended_at IS NOT NULL FROM session_refunds WHERE organization_id = $1 AND session_refund_id = $2",
            job.organization_id,
            job.session_refund_id,
        )


async def test_every_order_of_a_cancelled_session_is_refunded(pool: Pool) -> None:
    sale, sold = await sold_orders(pool, 1, 2, 3)
    await sold[0].refund()
    await cancelled(sale)
    await work_off(pool)
    job = await started(sale)
    assert (await progress(sale, job)).orders_waiting == 2
    assert await work_session_refunds(pool, system.make_id, count_max=1) == 1
    assert not await ended(sale, job)
    await work_off(pool)
    await sale.work()
    assert await progress(sale, job) == Progress(0, 2, 0, 0, 2, 0, 12500)
    assert await ended(sale, job)
    assert [(await sale.show(one.order_id)).status for one in sold] == ["refunded"] * 3
    assert await sale.balances() == {}
    # The places of a session that does not take place are not sold again.
    assert (await sale.stock())[2] == 5
    assert [one.reason for one in await sale.refunds(sold[1].order_id)] == ["session_cancelled"]


async def test_places_go_back_where_that_is_the_choice(pool: Pool) -> None:
    sale, _ = await sold_orders(pool, 2)
    await cancelled(sale)
    await started(sale, return_stock=True)
    await work_off(pool)
    assert await sale.stock() == (20, 0, 0, 0)


async def test_asking_twice_at_once_is_one(pool: Pool) -> None:
    sale, _ = await sold_orders(pool, 2)
    await cancelled(sale)
    barrier = asyncio.Barrier(4)

    async def one() -> UUID:
        await barrier.wait()
        return (await started(sale)).session_refund_id

    assert len(set(await asyncio.gather(*(one() for _ in range(4))))) == 1


async def test_a_session_that_takes_place_is_not_refunded(pool: Pool) -> None:
    sale, _ = await sold_orders(pool, 2)
    with pytest.raises(SessionStands):
        await started(sale)
    await work_off(pool)
    assert await sale.balances() == {"provider:simulated": 5000, "sales": -5000}


async def test_the_limit_counts_the_whole_session(pool: Pool) -> None:
    sale, _ = await sold_orders(pool, 2, 2, price_minor=30_000)
    await cancelled(sale)
    with pytest.raises(RefundAboveLimit) as refused:
        await started(sale, MANAGER)
    assert refused.value.fields["amount_minor"] == 120_000
    await work_off(pool)
    assert await sale.balances() == {"provider:simulated": 120_000, "sales": -120_000}
    await started(sale, None)
    await work_off(pool)
    assert await sale.balances() == {"provider:simulated": 120_000, "refunds": -120_000}


async def test_four_workers_at_once_refund_each_order_once(pool: Pool) -> None:
    sale, sold = await sold_orders(pool, 1, 1, 1, 1, 1, 1)
    await cancelled(sale)
    job = await started(sale)
    barrier = asyncio.Barrier(4)

    async def one() -> int:
        await barrier.wait()
        return await work_session_refunds(pool, system.make_id)

    await asyncio.gather(*(one() for _ in range(4)))
    await work_off(pool)
    assert [len(await sale.refunds(order.order_id)) for order in sold] == [1] * 6
    assert await sale.balances() == {"provider:simulated": 15_000, "refunds": -15_000}
    assert await ended(sale, job)


async def test_dying_between_any_two_statements_loses_and_doubles_nothing(pool: Pool) -> None:
    sale, sold = await sold_orders(pool, 1, 2)
    await cancelled(sale)
    job = await started(sale)
    deaths = done = 0
    while done < 2:
        try:
            async with transaction(pool, EVERY_ORGANIZATION) as conn:
                order_id = await refund_next_order(DyingConnection(conn, deaths), system.make_id, job)
            assert order_id == sold[done].order_id
            done, deaths = done + 1, 0 if done == 0 else deaths
        except Died:
            deaths += 1
        given = [sum(one.amount_minor for one in await sale.refunds(order.order_id)) for order in sold]
        assert given == [[0, 0], [2500, 0], [2500, 5000]][done]
        counted = await progress(sale, job)
        assert (counted.orders_waiting, counted.orders_done) == (2 - done, done)
    assert deaths > 15
    await work_off(pool)
    assert await ended(sale, job)
    assert [len(await sale.refunds(order.order_id)) for order in sold] == [1, 1]
    assert await sale.balances() == {"provider:simulated": 7500, "refunds": -7500}


async def test_what_fails_is_listed_and_tried_again(pool: Pool) -> None:
    sale, sold = await sold_orders(pool, 1, 2)
    await cancelled(sale)
    job = await started(sale)
    # Captured money that is not there any more stands in the way of one order.
    broken = (await sale.payments(sold[0].order_id))[0].payment_id
    await pool.execute("UPDATE payments SET captured_minor = 1 WHERE payment_id = $1", broken)
    await work_off(pool)
    assert await ended(sale, job)
    found = await progress(sale, job)
    assert (found.orders_done, found.orders_failed) == (1, 1)
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        [failure] = await list_failures(conn, job.organization_id, job.session_id, None, 10)
    assert (failure.order_id, failure.refund_id, failure.code) == (sold[0].order_id, None, "refund_too_large")
    assert await sale.live_units(sold[0].order_id) == 1
    await pool.execute("UPDATE payments SET captured_minor = 2500 WHERE payment_id = $1", broken)
    async with transaction(pool, EVERY_ORGANIZATION) as conn:
        again = await retry_session_refund(conn, system.make_id, job.organization_id, job.session_id)
    assert (again.order_count, again.refund_count) == (1, 0)
    await work_off(pool)
    assert await sale.live_units(sold[0].order_id) == 0
    assert (await progress(sale, job)).orders_done == 2


async def test_what_was_sold_while_it_was_cancelled_is_refunded_too(pool: Pool) -> None:
    sale, _ = await sold_orders(pool, 1)
    await cancelled(sale)
    job = await started(sale)
    await work_off(pool)
    assert await ended(sale, job)
    # A payment that read the session's terms before it was cancelled, and commits only now.
    await pool.execute("UPDATE sessions SET status = 'scheduled' WHERE session_id = $1", job.session_id)
    late = await pay_for(sale, await sale.hold(2), "en")
    await pool.execute("UPDATE sessions SET status = 'cancelled' WHERE session_id = $1", job.session_id)
    await work_off(pool)
    assert (await sale.show(late.order_id)).status == "refunded"
    assert await ended(sale, job)
