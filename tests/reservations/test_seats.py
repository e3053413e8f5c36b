"""Numbered seats under races: each seat has one owner, and nobody is refused while there are seats."""

import asyncio

import pytest
from harness.stock import MadeSession, box_office, make_seated_session, rectangle

from fullhouse.events.queries import load_terms
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.reservations.block_stock import block_stock, release_allocation
from fullhouse.reservations.place_reservation import BoxOffice, Placed
from fullhouse.reservations.release_reservation import release_reservation
from fullhouse.reservations.return_stock import return_stock
from fullhouse.reservations.rules import BestAvailable, ItemRequest, NewAllocation, NotSold, SeatTaken, SoldOut
from fullhouse.reservations.sell_again import sell_again
from fullhouse.reservations.sell_reservation import sell_reservation


def _seats(made: MadeSession, *names: str) -> tuple[ItemRequest, ...]:
    return (ItemRequest(made.types["adult"], seats=names),)


def _best(made: MadeSession, count: int) -> tuple[ItemRequest, ...]:
    return (ItemRequest(made.types["adult"], best_available=BestAvailable(count)),)


def _keys(placed: Placed) -> list[str]:
    return [seat.key for item in placed.reservation.items for seat in item.seats]


async def _states(pool: Pool, made: MadeSession) -> list[int]:
    rows = await pool.fetch(
        "SELECT state FROM seats WHERE organization_id = $1 AND session_id = $2 ORDER BY seat_index",
        made.organization_id,
        made.session_id,
    )
    return [row["state"] for row in rows]


async def test_two_hundred_buyers_for_one_seat_give_one_winner_a_hundred_times(pool: Pool) -> None:
    made = await make_seated_session(pool, rectangle(10, 10))
    offices = [box_office(pool), box_office(pool)]

    async def buy(office: BoxOffice, name: str, start: asyncio.Event) -> bool:
        await start.wait()
        try:
            await office.place_reservation(made.session_id, _seats(made, name))
        except SeatTaken as taken:
            if taken.fields["seats"] != [name]:
                raise
            return False
        return True

    for row in range(1, 11):
        for number in range(1, 11):
            start = asyncio.Event()
            buyers = [asyncio.create_task(buy(offices[n % 2], f"{row}-{number}", start)) for n in range(200)]
            start.set()
            assert sum(await asyncio.gather(*buyers)) == 1
    assert await _states(pool, made) == [1] * 100


async def test_five_hundred_buyers_of_best_seats_empty_eight_thousand_and_none_is_refused(pool: Pool) -> None:
    made = await make_seated_session(pool, rectangle(100, 80))
    offices = [box_office(pool), box_office(pool)]
    answers = await asyncio.gather(
        *(offices[n % 2].place_reservation(made.session_id, _best(made, 16)) for n in range(500))
    )
    seats = [key for placed in answers for key in _keys(placed)]
    assert len(seats) == len(set(seats)) == 8000
    with pytest.raises(SoldOut):
        await offices[0].place_reservation(made.session_id, _best(made, 1))


async def test_chosen_seats_are_held_together_or_not_at_all(pool: Pool) -> None:
    made = await make_seated_session(pool, rectangle(2, 5))
    office = box_office(pool)
    first = await office.place_reservation(made.session_id, _seats(made, "1-1", "Row 1, 2"))
    assert _keys(first) == ["1-1", "1-2"]
    with pytest.raises(SeatTaken) as refused:
        await office.place_reservation(made.session_id, _seats(made, "1-2", "1-3"))
    assert refused.value.fields["seats"] == ["1-2"]
    for names in (("9-9",), ("1-4", "1-4")):
        with pytest.raises(NotSold):
            await office.place_reservation(made.session_id, _seats(made, *names))
    assert await _states(pool, made) == [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]


async def test_a_released_seat_can_be_held_again_through_another_desk(pool: Pool) -> None:
    made = await make_seated_session(pool, rectangle(1, 4))
    one, other = box_office(pool), box_office(pool)
    await other.place_reservation(made.session_id, _seats(made, "1-4"))
    placed = await one.place_reservation(made.session_id, _seats(made, "1-1", "1-2"))
    async with transaction(pool, made.organization_id) as conn:
        await release_reservation(conn, system.make_id, made.organization_id, placed.reservation.reservation_id)
    again = await other.place_reservation(made.session_id, _best(made, 3))
    assert _keys(again) == ["1-1", "1-2", "1-3"]
    assert await _states(pool, made) == [1, 1, 1, 1]


async def test_sold_and_returned_seats(pool: Pool) -> None:
    made = await make_seated_session(pool, rectangle(1, 3))
    office = box_office(pool)
    placed = await office.place_reservation(made.session_id, _seats(made, "1-2"))
    async with transaction(pool, made.organization_id) as conn:
        await sell_reservation(conn, system.make_id, made.organization_id, placed.reservation.reservation_id)
    assert await _states(pool, made) == [0, 2, 0]
    async with transaction(pool, made.organization_id) as conn:
        await return_stock(
            conn, made.organization_id, made.session_id, seats=[1], quota_counts={made.category_quota: 1}
        )
    assert await _states(pool, made) == [0, 0, 0]
    assert _keys(await office.place_reservation(made.session_id, _seats(made, "1-2"))) == ["1-2"]


async def test_late_money_takes_the_same_seats_else_equal_ones_together_else_none(pool: Pool) -> None:
    made = await make_seated_session(pool, rectangle(2, 4))
    office = box_office(pool)

    async def lapsed(*names: str) -> Placed:
        placed = await office.place_reservation(made.session_id, _seats(made, *names))
        async with transaction(pool, made.organization_id) as conn:
            await release_reservation(conn, system.make_id, made.organization_id, placed.reservation.reservation_id)
        return placed

    async def pay_late(placed: Placed) -> list[str] | None:
        async with transaction(pool, made.organization_id) as conn:
            sold = await sell_again(conn, system.make_id, made.organization_id, placed.reservation.reservation_id)
        return None if sold is None else [seat.key for item in sold.items for seat in item.seats]

    first, second, third = await lapsed("1-1", "1-2"), await lapsed("1-1", "1-2"), await lapsed("1-1", "1-2")
    assert await pay_late(first) == ["1-1", "1-2"]
    await office.place_reservation(made.session_id, _seats(made, "1-3", "2-2"))
    assert await pay_late(second) == ["2-3", "2-4"]
    assert await pay_late(third) is None
    assert await _states(pool, made) == [2, 2, 1, 0, 0, 1, 2, 2]


async def test_blocked_seats_are_kept_from_the_public(pool: Pool) -> None:
    made = await make_seated_session(pool, rectangle(1, 4))
    office = box_office(pool)
    async with transaction(pool, made.organization_id) as conn:
        terms = await load_terms(conn, made.organization_id, made.session_id)
        assert terms is not None
        new = NewAllocation("House", "director's guests", ("1-2", "1-3"), {}, None)
        allocation = await block_stock(conn, system.make_id, terms, new)
    assert await _states(pool, made) == [0, 3, 3, 0]
    with pytest.raises(SeatTaken):
        await office.place_reservation(made.session_id, _seats(made, "1-2"))
    assert _keys(await office.place_reservation(made.session_id, _best(made, 2))) == ["1-1", "1-4"]
    with pytest.raises(SeatTaken):
        async with transaction(pool, made.organization_id) as conn:
            await block_stock(conn, system.make_id, terms, new)
    async with transaction(pool, made.organization_id) as conn:
        await release_allocation(conn, made.organization_id, made.session_id, allocation)
    assert await _states(pool, made) == [1, 0, 0, 1]
