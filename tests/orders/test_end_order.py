"""Orders that end without money: cancelled, or expired with their hold. Stock comes back once."""

import asyncio

import pytest
from harness.sale import make_sale

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.cancel_order import cancel_order
from fullhouse.orders.expire_orders import expire_orders
from fullhouse.orders.rules import OrderAlreadyPaid, OrderNotFound, OrderNotPending, OrderStatus
from fullhouse.reservations.expire_reservations import expire_reservations
from fullhouse.reservations.release_reservation import release_reservation


async def test_cancelling_gives_the_stock_back_once(pool: Pool) -> None:
    sale = await make_sale(pool)
    order = (await sale.order(3)).order

    async def cancel() -> object:
        async with transaction(pool, order.organization_id) as conn:
            return await cancel_order(conn, system.make_id, order.organization_id, order.order_id)

    results = await asyncio.gather(*(cancel() for _ in range(6)), return_exceptions=True)
    assert sorted(isinstance(result, OrderNotPending) for result in results) == [False] + [True] * 5
    assert await sale.stock() == (10, 0, 0, 0)
    assert (await sale.show(order.order_id)).status is OrderStatus.CANCELLED
    (told,) = await sale.messages("order.cancelled")
    assert told.data["reason"] == "by_request"
    assert len(await sale.messages("reservation.released")) == 1


async def test_a_paid_order_is_not_cancelled(pool: Pool) -> None:
    sale = await make_sale(pool, price_minor=0)
    order = (await sale.order()).order
    with pytest.raises(OrderAlreadyPaid):
        async with transaction(pool, order.organization_id) as conn:
            await cancel_order(conn, system.make_id, order.organization_id, order.order_id)
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID
    assert await sale.stock() == (10, 0, 2, 0)


async def test_another_organizations_order_is_not_found(pool: Pool) -> None:
    sale, other = await make_sale(pool), await make_sale(pool)
    order = (await sale.order()).order
    with pytest.raises(OrderNotFound):
        async with transaction(pool, other.made.organization_id) as conn:
            await cancel_order(conn, system.make_id, other.made.organization_id, order.order_id)
    assert await sale.show(order.order_id) == order


async def test_orders_expire_with_their_holds_and_only_the_pending_ones(pool: Pool) -> None:
    sale = await make_sale(pool)
    lapsed, kept = (await sale.order(2)).order, (await sale.order(2)).order
    await pool.execute(
        "UPDATE reservations SET expires_at = clock_timestamp() - interval '1 second' WHERE reservation_id = $1",
        lapsed.reservation_id,
    )
    await expire_reservations(pool, system.make_id)
    await sale.work()
    assert (await sale.show(lapsed.order_id)).status is OrderStatus.EXPIRED
    assert await sale.show(kept.order_id) == kept
    assert await sale.stock() == (10, 2, 0, 0)
    (expired,) = await sale.messages("reservation.expired")
    for _ in range(3):
        async with transaction(pool, expired.organization_id) as conn:
            await expire_orders(conn, system.make_id, expired)
    (told,) = await sale.messages("order.expired")
    assert told.data["order_id"] == str(lapsed.order_id)


async def test_giving_the_reservation_back_ends_its_order(pool: Pool) -> None:
    sale = await make_sale(pool)
    order = (await sale.order()).order
    async with transaction(pool, order.organization_id) as conn:
        await release_reservation(conn, system.make_id, order.organization_id, order.reservation_id)
    await sale.work()
    assert (await sale.show(order.order_id)).status is OrderStatus.EXPIRED
    (told,) = await sale.messages("order.expired")
    assert told.data["reason"] == "given_back"
    assert await sale.stock() == (10, 0, 0, 0)
