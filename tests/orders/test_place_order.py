"""Placing orders: one for each reservation, its hold prolonged, a free one paid at once."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from harness.sale import ANA, ORDER_KEY, Sale, make_sale

from fullhouse.core.secrets import derive_secret, same_hash
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.find_order import find_order
from fullhouse.orders.place_order import OrderRequest, PlacedOrder, place_order
from fullhouse.orders.queries import load_contact, load_lines, load_units
from fullhouse.orders.rules import OrderExists, OrderNotFound, OrderStatus
from fullhouse.reservations.expire_reservations import expire_reservations
from fullhouse.reservations.queries import load_reservation
from fullhouse.reservations.release_reservation import release_reservation
from fullhouse.reservations.rules import NotOnSale, ReservationExpired, ReservationNotFound


async def _orders(sale: Sale) -> int:
    return await sale.pool.fetchval("SELECT count(*) FROM orders WHERE organization_id = $1", sale.made.organization_id)


async def test_order_takes_what_is_held_and_its_price(pool: Pool) -> None:
    sale = await make_sale(pool, price_minor=1999)
    placed = await sale.order(3)
    order = placed.order
    assert (order.status, order.total_minor, order.currency) == (OrderStatus.PENDING, 5997, "EUR")
    assert same_hash(derive_secret(ORDER_KEY, order.order_id), order.secret_hash)
    async with transaction(pool, order.organization_id) as conn:
        assert await load_lines(conn, order.organization_id, order.order_id) == placed.lines
        assert await load_contact(conn, order.organization_id, order.order_id) == ANA
        assert await load_units(conn, order.organization_id, order.order_id) == ()
    assert await find_order(pool, order.order_id) == order
    (line,) = placed.lines
    assert (line.quantity, line.price_minor, line.description) == (3, 1999, "adult, Standing")
    assert await sale.stock() == (10, 3, 0, 0)
    (told,) = await sale.messages("order.placed")
    assert told.key == order.order_id
    assert told.data["total_minor"] == 5997
    assert ANA.email not in str(told.data)


async def test_order_holds_for_the_sessions_time_from_now(pool: Pool) -> None:
    sale = await make_sale(pool)
    held = await sale.hold()
    await pool.execute(
        "UPDATE reservations SET expires_at = clock_timestamp() + interval '10 seconds' WHERE reservation_id = $1",
        held.reservation.reservation_id,
    )
    placed = await sale.order(placed=held)
    assert timedelta(seconds=890) < placed.expires_at - placed.order.placed_at <= timedelta(seconds=900)


async def test_only_the_token_of_the_reservation_orders_it(pool: Pool) -> None:
    sale = await make_sale(pool)
    mine, other = await sale.hold(), await sale.hold()
    for token in (other.token, mine.token[:-1] + ("A" if mine.token[-1] != "A" else "B"), "x"):
        request = OrderRequest(sale.made.organization_id, mine.reservation.reservation_id, token, ANA, "en")
        with pytest.raises(ReservationNotFound):
            async with transaction(pool, request.organization_id) as conn:
                await place_order(conn, system.make_id, ORDER_KEY, request)
    assert await _orders(sale) == 0
    assert await sale.messages("order.placed") == []


async def test_token_opens_nothing_in_another_organization(pool: Pool) -> None:
    sale, other = await make_sale(pool), await make_sale(pool)
    held = await sale.hold()
    request = OrderRequest(other.made.organization_id, held.reservation.reservation_id, held.token, ANA, "en")
    with pytest.raises(ReservationNotFound):
        async with transaction(pool, request.organization_id) as conn:
            await place_order(conn, system.make_id, ORDER_KEY, request)
    assert await _orders(sale) == await _orders(other) == 0


async def test_what_is_not_held_any_more_is_not_ordered(pool: Pool) -> None:
    sale = await make_sale(pool)
    lapsed, released = await sale.hold(), await sale.hold()
    await sale.lapse(lapsed)
    async with transaction(pool, sale.made.organization_id) as conn:
        ids = (sale.made.organization_id, released.reservation.reservation_id)
        await release_reservation(conn, system.make_id, *ids)
    for held in (lapsed, released):
        with pytest.raises(ReservationExpired):
            await sale.order(placed=held)
    assert await _orders(sale) == 0


async def test_a_session_that_was_cancelled_is_not_ordered(pool: Pool) -> None:
    sale = await make_sale(pool)
    held = await sale.hold()
    await pool.execute("UPDATE sessions SET status = 'cancelled' WHERE session_id = $1", sale.made.session_id)
    with pytest.raises(NotOnSale):
        await sale.order(placed=held)
    assert await _orders(sale) == 0


async def test_eight_orders_at_once_of_one_reservation_are_one(pool: Pool) -> None:
    sale = await make_sale(pool)
    held = await sale.hold()
    barrier = asyncio.Barrier(8)

    async def one() -> PlacedOrder:
        await barrier.wait()
        return await sale.order(placed=held)

    results = await asyncio.gather(*(one() for _ in range(8)), return_exceptions=True)
    (won,) = [result for result in results if not isinstance(result, BaseException)]
    lost = [result for result in results if isinstance(result, OrderExists)]
    assert len(lost) == 7
    assert {str(error.fields["order_id"]) for error in lost} == {str(won.order.order_id)}
    assert await _orders(sale) == 1
    assert len(await sale.messages("order.placed")) == 1


async def test_order_and_expiry_race_and_one_of_them_wins(pool: Pool) -> None:
    sale = await make_sale(pool, capacity=40)
    for _ in range(10):
        held = await sale.hold()
        await pool.execute(
            "UPDATE reservations SET expires_at = clock_timestamp() + interval '3 milliseconds'"
            " WHERE reservation_id = $1",
            held.reservation.reservation_id,
        )
        ordered, _ = await asyncio.gather(
            sale.order(placed=held), expire_reservations(pool, system.make_id), return_exceptions=True
        )
        async with transaction(pool, sale.made.organization_id) as conn:
            ids = (sale.made.organization_id, held.reservation.reservation_id)
            now = await load_reservation(conn, *ids)
        assert now is not None
        if isinstance(ordered, BaseException):
            assert isinstance(ordered, ReservationExpired)
            assert now.status == "expired"
        else:
            assert now.status == "held"


async def test_a_free_order_is_sold_and_paid_at_once_without_a_payment(pool: Pool) -> None:
    sale = await make_sale(pool, price_minor=0)
    held = await sale.hold(2)
    placed = await sale.order(placed=held)
    assert placed.order.status is OrderStatus.PAID
    assert placed.order.paid_at is not None
    assert await sale.stock() == (10, 0, 2, 0)
    assert await sale.live_units(placed.order.order_id) == 2
    assert await sale.payments(placed.order.order_id) == ()
    assert await sale.balances() == {}
    assert [message.type for message in await sale.messages("order.placed", "order.paid", "reservation.sold")] == [
        "order.placed",
        "reservation.sold",
        "order.paid",
    ]
    with pytest.raises(OrderExists):
        await sale.order(placed=held)


async def test_an_order_that_is_not_there_is_not_found(pool: Pool) -> None:
    with pytest.raises(OrderNotFound):
        await find_order(pool, uuid4())
