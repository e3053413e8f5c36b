"""Stock that an allocation keeps from the public is sold by who may, and what is not sold goes back there."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from harness.stock import SERVER_KEY, MadeSession, box_office, counters, make_seated_session, make_session, rectangle

from fullhouse.events.queries import load_terms
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.reservations.allocations.reserve_from_allocation import Source, reserve_from_allocation
from fullhouse.reservations.block_stock import block_stock, release_allocation
from fullhouse.reservations.expire_reservations import expire_reservations
from fullhouse.reservations.queries import load_allocations
from fullhouse.reservations.release_reservation import release_reservation
from fullhouse.reservations.rules import (
    AllocationNotFound,
    ItemRequest,
    LimitPerOrder,
    NewAllocation,
    Reservation,
    SeatTaken,
    SoldOut,
)
from fullhouse.reservations.sell_again import sell_again
from fullhouse.reservations.sell_reservation import sell_reservation
from fullhouse.reservations.tokens import reservation_key


@dataclass
class House:
    """An allocation of a session."""

    pool: Pool
    made: MadeSession
    allocation_id: UUID
    held: list[Reservation] = field(default_factory=list[Reservation])

    @classmethod
    async def block(cls, pool: Pool, made: MadeSession, new: NewAllocation) -> "House":
        async with transaction(pool, made.organization_id) as conn:
            terms = await load_terms(conn, made.organization_id, made.session_id)
            assert terms is not None
            return cls(pool, made, await block_stock(conn, system.make_id, terms, new))

    async def reserve(self, quantity: int | None = None, seats: tuple[str, ...] | None = None) -> Reservation:
        source = Source(self.made.organization_id, self.made.session_id, self.allocation_id)
        items = (ItemRequest(self.made.types["adult"], quantity=quantity, seats=seats),)
        async with transaction(self.pool, self.made.organization_id) as conn:
            held = await reserve_from_allocation(conn, system.make_id, reservation_key(SERVER_KEY), source, items)
        self.held.append(held)
        return held

    async def give_up(self, held: Reservation) -> bool:
        async with transaction(self.pool, self.made.organization_id) as conn:
            return await release_reservation(conn, system.make_id, held.organization_id, held.reservation_id)

    async def release(self) -> None:
        async with transaction(self.pool, self.made.organization_id) as conn:
            await release_allocation(conn, self.made.organization_id, self.made.session_id, self.allocation_id)

    async def sell(self, held: Reservation, *, late: bool = False) -> Reservation | None:
        sell = sell_again if late else sell_reservation
        async with transaction(self.pool, self.made.organization_id) as conn:
            return await sell(conn, system.make_id, held.organization_id, held.reservation_id)

    async def lapse(self, held: Reservation) -> None:
        await self.pool.execute(
            "UPDATE reservations SET expires_at = clock_timestamp() WHERE reservation_id = $1", held.reservation_id
        )
        await expire_reservations(self.pool, system.make_id)

    async def left(self) -> list[tuple[list[int], list[int]]]:
        """Return counts and seats that are still blocked, of this and every other allocation of the session."""
        async with transaction(self.pool, self.made.organization_id) as conn:
            rows = await load_allocations(conn, self.made.organization_id, self.made.session_id)
        return [(row["quota_counts"], row["seats"]) for row in rows]

    async def states(self) -> list[tuple[int, bool, bool]]:
        """Return each seat's state, and whether a reservation and an allocation own it."""
        rows = await self.pool.fetch(
            """
            SELECT state, reservation_id IS NOT NULL AS reserved, allocation_id IS NOT NULL AS allocated FROM seats
            WHERE session_id = $1 ORDER BY seat_index
            """,
            self.made.session_id,
        )
        return [(row["state"], row["reserved"], row["allocated"]) for row in rows]


def standing(quantity: int) -> NewAllocation:
    return NewAllocation("House", "for guests", (), {"standing": quantity}, None)


FREE, HELD, SOLD, BLOCKED = (0, False, False), (1, True, True), (2, True, False), (3, False, True)


async def test_places_go_from_blocked_to_held_to_sold(pool: Pool) -> None:
    house = await House.block(pool, await make_session(pool, capacity=10), standing(6))
    held = await house.reserve(4)
    assert held.total_minor == 4000
    assert await counters(pool, house.made) == (10, 4, 0, 2)
    assert await house.left() == [([2], [])]
    assert await house.sell(held) is not None
    assert await counters(pool, house.made) == (10, 0, 4, 2)


async def test_seats_are_sold_out_of_their_own_allocation_alone(pool: Pool) -> None:
    made = await make_seated_session(pool, rectangle(1, 6))
    house = await House.block(pool, made, NewAllocation("House", "", ("1-2", "1-3"), {}, None))
    other = await House.block(pool, made, NewAllocation("Promoter", "", ("1-4",), {}, None))
    for taken in ("1-1", "1-4"):
        with pytest.raises(SeatTaken):
            await house.reserve(seats=(taken,))
    held = await house.reserve(seats=("1-2",))
    assert await house.states() == [FREE, HELD, BLOCKED, BLOCKED, FREE, FREE]
    assert await house.left() == [([1], [2]), ([1], [3])]
    assert await house.sell(held) is not None
    assert await house.states() == [FREE, SOLD, BLOCKED, BLOCKED, FREE, FREE]
    with pytest.raises(SeatTaken):
        await box_office(pool).place_reservation(made.session_id, (ItemRequest(made.types["adult"], seats=("1-3",)),))
    await other.release()
    assert await house.states() == [FREE, SOLD, BLOCKED, FREE, FREE, FREE]


async def test_more_than_is_left_of_it_is_refused_however_much_the_public_has(pool: Pool) -> None:
    house = await House.block(pool, await make_session(pool, capacity=50, per_order_max=5), standing(3))
    with pytest.raises(SoldOut):
        await house.reserve(4)
    with pytest.raises(LimitPerOrder):
        await house.reserve(6)
    assert await counters(pool, house.made) == (50, 0, 0, 3)
    await house.release()
    with pytest.raises(AllocationNotFound):
        await house.reserve(1)
    assert await counters(pool, house.made) == (50, 0, 0, 0)


async def test_what_is_given_up_or_expires_goes_back_to_the_allocation(pool: Pool) -> None:
    made = await make_seated_session(pool, rectangle(1, 4))
    house = await House.block(pool, made, NewAllocation("House", "", ("1-1", "1-2", "1-3"), {}, None))
    first, second = await house.reserve(seats=("1-1",)), await house.reserve(seats=("1-3",))
    assert await house.left() == [([1], [1])]
    assert await house.give_up(first)
    assert not await house.give_up(first)
    assert await house.left() == [([2], [0, 1])]
    await house.lapse(second)
    assert await house.left() == [([3], [0, 1, 2])]
    assert await house.states() == [BLOCKED, BLOCKED, BLOCKED, FREE]
    assert await counters(pool, made, "stalls") == (4, 0, 0, 3)


async def test_what_comes_back_after_the_release_is_the_publics(pool: Pool) -> None:
    made = await make_seated_session(pool, rectangle(1, 3))
    house = await House.block(pool, made, NewAllocation("House", "", ("1-1", "1-2"), {}, None))
    held = await house.reserve(seats=("1-1",))
    await house.release()
    assert await house.states() == [HELD, FREE, FREE]
    assert await house.give_up(held)
    assert await house.states() == [FREE, FREE, FREE]
    assert await counters(pool, made, "stalls") == (3, 0, 0, 0)


async def test_late_money_finds_the_places_in_the_allocation(pool: Pool) -> None:
    house = await House.block(pool, await make_session(pool, capacity=5), standing(2))
    first = await house.reserve(2)
    await house.lapse(first)
    second = await house.reserve(1)
    assert await house.sell(first, late=True) is None, "one of the two is another's by now, and three are the public's"
    assert await house.give_up(second)
    assert await house.sell(first, late=True) is not None
    assert await counters(pool, house.made) == (5, 0, 2, 0)
    assert await house.left() == [([0], [])]


async def test_public_and_sellers_at_once_sell_each_their_own_and_no_more(pool: Pool) -> None:
    made = await make_session(pool, capacity=12)
    house = await House.block(pool, made, standing(5))
    offices = [box_office(pool), box_office(pool)]
    everybody = asyncio.Barrier(24)

    async def seller() -> bool:
        await everybody.wait()
        try:
            await house.reserve(1)
        except SoldOut:
            return False
        return True

    async def buyer(number: int) -> bool:
        await everybody.wait()
        wish = (ItemRequest(made.types["adult"], quantity=1),)
        try:
            await offices[number % 2].place_reservation(made.session_id, wish)
        except SoldOut:
            return False
        return True

    won = await asyncio.gather(*(seller() for _ in range(12)), *(buyer(number) for number in range(12)))
    assert (sum(won[:12]), sum(won[12:])) == (5, 7)
    assert await counters(pool, made) == (12, 12, 0, 0)
    assert await house.left() == [([0], [])]


async def test_release_and_reservation_at_once_lose_nothing(pool: Pool) -> None:
    for _ in range(6):
        house = await House.block(pool, await make_session(pool, capacity=9), standing(6))
        both = asyncio.Barrier(4)

        async def reserve(house: House = house, both: asyncio.Barrier = both) -> bool:
            await both.wait()
            try:
                await house.reserve(2)
            except AllocationNotFound:
                return False
            return True

        async def release(house: House = house, both: asyncio.Barrier = both) -> bool:
            await both.wait()
            await house.release()
            return True

        outcomes = await asyncio.gather(reserve(), reserve(), reserve(), release())
        held = 2 * sum(outcomes[:3])
        assert await counters(pool, house.made) == (9, held, 0, 0)
        assert await house.left() == []
        assert all([await house.give_up(one) for one in house.held])
        assert await counters(pool, house.made) == (9, 0, 0, 0)
