"""Every way in which stock leaves a reservation, each exactly once, also when two ways race."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from harness.stock import MadeSession, box_office, counters, make_session, wants

from fullhouse.events.queries import load_terms
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.reservations.block_stock import block_stock, release_allocation, release_due_allocations
from fullhouse.reservations.deadlines.hold_for import hold_for
from fullhouse.reservations.expire_reservations import expire_reservations
from fullhouse.reservations.extend_reservation import extend_reservation
from fullhouse.reservations.open_stock import close_stock
from fullhouse.reservations.place_reservation import Placed
from fullhouse.reservations.queries import load_changes, load_stock
from fullhouse.reservations.release_reservation import release_reservation
from fullhouse.reservations.return_stock import return_stock
from fullhouse.reservations.rules import AllocationNotFound, NewAllocation, ReservationExpired, SoldOut
from fullhouse.reservations.sell_again import sell_again
from fullhouse.reservations.sell_reservation import sell_reservation


async def _hold(pool: Pool, made: MadeSession, quantity: int) -> Placed:
    return await box_office(pool).place_reservation(made.session_id, wants(made, quantity))


async def _release(pool: Pool, placed: Placed) -> bool:
    async with transaction(pool, placed.reservation.organization_id) as conn:
        reservation = placed.reservation
        return await release_reservation(conn, system.make_id, reservation.organization_id, reservation.reservation_id)


async def _sell(pool: Pool, placed: Placed) -> bool:
    async with transaction(pool, placed.reservation.organization_id) as conn:
        reservation = placed.reservation
        sold = await sell_reservation(conn, system.make_id, reservation.organization_id, reservation.reservation_id)
        return sold is not None


async def _lapse(pool: Pool, placed: Placed) -> None:
    await pool.execute(
        "UPDATE reservations SET expires_at = clock_timestamp() - interval '1 second' WHERE reservation_id = $1",
        placed.reservation.reservation_id,
    )


async def test_release_returns_stock_once(pool: Pool) -> None:
    made = await make_session(pool, capacity=10)
    placed = await _hold(pool, made, 3)
    assert sorted(await asyncio.gather(*(_release(pool, placed) for _ in range(8)))) == [False] * 7 + [True]
    assert await counters(pool, made) == (10, 0, 0, 0)


async def test_sale_and_release_race_and_one_of_them_wins(pool: Pool) -> None:
    made = await make_session(pool, capacity=200)
    for _ in range(20):
        placed = await _hold(pool, made, 2)
        sold, released = await asyncio.gather(_sell(pool, placed), _release(pool, placed))
        assert sold != released
    _, held, sold_count, _ = await counters(pool, made)
    assert held == 0
    sold_rows = await pool.fetchval(
        "SELECT 2 * count(*) FROM reservations WHERE organization_id = $1 AND status = 'sold'", made.organization_id
    )
    assert sold_count == sold_rows


async def test_sale_and_expiry_race_and_one_of_them_wins(pool: Pool) -> None:
    made = await make_session(pool, capacity=200)
    for _ in range(20):
        placed = await _hold(pool, made, 2)
        await _lapse(pool, placed)
        await asyncio.gather(_sell(pool, placed), expire_reservations(pool, system.make_id))
    statuses = await pool.fetch(
        "SELECT status, count(*) AS count FROM reservations WHERE organization_id = $1 GROUP BY 1",
        made.organization_id,
    )
    by_status = {row["status"]: row["count"] for row in statuses}
    assert sum(by_status.values()) == 20
    assert set(by_status) <= {"sold", "expired"}
    assert await counters(pool, made) == (200, 0, 2 * by_status.get("sold", 0), 0)


async def test_returned_stock_is_on_sale_again(pool: Pool) -> None:
    made = await make_session(pool, capacity=2)
    assert await _sell(pool, await _hold(pool, made, 2))
    with pytest.raises(SoldOut):
        await _hold(pool, made, 1)
    async with transaction(pool, made.organization_id) as conn:
        await return_stock(conn, made.organization_id, made.session_id, seats=[], quota_counts={made.category_quota: 2})
    await _hold(pool, made, 2)
    assert await counters(pool, made) == (2, 2, 0, 0)


async def test_returning_more_than_was_sold_fails_and_changes_nothing(pool: Pool) -> None:
    made = await make_session(pool, capacity=2)
    with pytest.raises(Exception, match="sold"):
        async with transaction(pool, made.organization_id) as conn:
            await return_stock(
                conn, made.organization_id, made.session_id, seats=[], quota_counts={made.category_quota: 1}
            )
    assert await counters(pool, made) == (2, 0, 0, 0)


async def test_more_time_never_passes_the_longest_hold_but_an_open_payment_may(pool: Pool) -> None:
    made = await make_session(pool)
    placed = await _hold(pool, made, 1)
    reservation = placed.reservation
    ids = (reservation.organization_id, reservation.reservation_id)
    async with transaction(pool, ids[0]) as conn:
        longer = await extend_reservation(conn, *ids, seconds=100_000)
    assert longer.expires_at == reservation.held_at + timedelta(hours=2)
    async with transaction(pool, ids[0]) as conn:
        same = await extend_reservation(conn, *ids, seconds=60)
    assert same.expires_at == longer.expires_at
    async with transaction(pool, ids[0]) as conn:
        paying = (await hold_for(conn, ids[0], {ids[1]: 5 * 3600.0}))[ids[1]]
        shorter = (await hold_for(conn, ids[0], {ids[1]: 60.0}))[ids[1]]
    assert isinstance(paying, datetime)
    assert isinstance(shorter, datetime)
    found = await pool.fetchval("SELECT expires_at FROM reservations WHERE reservation_id = $1", ids[1])
    assert found == paying + timedelta(hours=5)


async def test_what_has_ended_cannot_be_extended(pool: Pool) -> None:
    made = await make_session(pool)
    lapsed, released = await _hold(pool, made, 1), await _hold(pool, made, 1)
    await _lapse(pool, lapsed)
    await _release(pool, released)
    for placed, status in ((lapsed, "expired"), (released, "released")):
        with pytest.raises(ReservationExpired) as refused:
            async with transaction(pool, made.organization_id) as conn:
                await extend_reservation(conn, made.organization_id, placed.reservation.reservation_id, seconds=60)
        assert refused.value.fields["reservation_status"] == status


async def test_late_money_gets_places_while_there_are_any(pool: Pool) -> None:
    made = await make_session(pool, capacity=4)
    late, early = await _hold(pool, made, 2), await _hold(pool, made, 2)
    for placed in (late, early):
        await _lapse(pool, placed)
    await expire_reservations(pool, system.make_id)
    ids = (made.organization_id, late.reservation.reservation_id)
    async with transaction(pool, ids[0]) as conn:
        sold = await sell_again(conn, system.make_id, *ids)
    assert sold is not None
    assert sold.items == late.reservation.items
    assert await counters(pool, made) == (4, 0, 2, 0)
    async with transaction(pool, ids[0]) as conn:
        assert await sell_again(conn, system.make_id, *ids) is None
    await _hold(pool, made, 2)
    async with transaction(pool, made.organization_id) as conn:
        gone = await sell_again(conn, system.make_id, made.organization_id, early.reservation.reservation_id)
    assert gone is None
    assert await counters(pool, made) == (4, 2, 2, 0)


async def test_blocked_stock_is_not_sold_and_comes_back_once(pool: Pool) -> None:
    made = await make_session(pool, capacity=10)
    allocation = await _block(pool, made, 7)
    assert await counters(pool, made) == (10, 0, 0, 7)
    with pytest.raises(SoldOut):
        await _hold(pool, made, 4)
    with pytest.raises(SoldOut):
        await _block(pool, made, 4)
    async with transaction(pool, made.organization_id) as conn:
        await release_allocation(conn, made.organization_id, made.session_id, allocation)
    with pytest.raises(AllocationNotFound):
        async with transaction(pool, made.organization_id) as conn:
            await release_allocation(conn, made.organization_id, made.session_id, allocation)
    assert await counters(pool, made) == (10, 0, 0, 0)


async def test_an_allocation_is_released_when_its_time_comes(pool: Pool) -> None:
    made = await make_session(pool, capacity=10)
    await _block(pool, made, 3, release_at=datetime.now(UTC) - timedelta(seconds=1))
    await _block(pool, made, 2, release_at=datetime.now(UTC) + timedelta(days=1))
    await asyncio.gather(*(release_due_allocations(pool) for _ in range(3)))
    assert await counters(pool, made) == (10, 0, 0, 2)


async def _block(pool: Pool, made: MadeSession, quantity: int, release_at: datetime | None = None):  # noqa: ANN202
    async with transaction(pool, made.organization_id) as conn:
        terms = await load_terms(conn, made.organization_id, made.session_id)
        assert terms is not None
        new = NewAllocation("House", "for guests", (), {"standing": quantity}, release_at)
        return await block_stock(conn, system.make_id, terms, new)


async def test_stock_that_was_never_held_can_be_closed_and_other_stock_not(pool: Pool) -> None:
    made, held = await make_session(pool), await make_session(pool)
    await _release(pool, await _hold(pool, held, 1))
    async with transaction(pool, made.organization_id) as conn:
        assert await close_stock(conn, made.organization_id, made.session_id)
    async with transaction(pool, held.organization_id) as conn:
        assert not await close_stock(conn, held.organization_id, held.session_id)
    assert await counters(pool, held) == (100, 0, 0, 0)


async def test_changes_lead_from_any_version_to_the_present_one(pool: Pool) -> None:
    made = await make_session(pool, capacity=50)
    async with transaction(pool, made.organization_id) as conn:
        old = await load_stock(conn, made.organization_id, made.session_id)
    first = await _hold(pool, made, 3)
    await _sell(pool, await _hold(pool, made, 2))
    await _release(pool, first)
    await _block(pool, made, 4)
    async with transaction(pool, made.organization_id) as conn:
        new = await load_stock(conn, made.organization_id, made.session_id)
        changes = await load_changes(conn, made.organization_id, made.session_id, old.version, new.version)
    assert changes is not None
    for change in changes:
        old.apply(change)
    assert old.version == new.version
    assert old.counters == new.counters
