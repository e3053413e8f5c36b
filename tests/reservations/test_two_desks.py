"""Desks of several processes on one session: none must be told first what the others did; nothing is sold twice."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from harness.stock import MadeSession, box_office, counters, make_seated_session, make_session, rectangle, wants
from harness.waiting import somebody_waits

from fullhouse.infra.postgres import Pool, transaction
from fullhouse.reservations import session_desk
from fullhouse.reservations.ahead import hold_ahead
from fullhouse.reservations.change_quota import announce_terms_changed
from fullhouse.reservations.hold_batch import hold_batch
from fullhouse.reservations.place_reservation import BoxOffice, Placed
from fullhouse.reservations.rules import BestAvailable, ItemRequest, SoldOut
from fullhouse.reservations.session_desk import UNDISTURBED_BATCHES


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect how many wishes each batch with the lock had."""
    counts = list[int]()

    async def counting(*arguments: Any, **named: Any) -> Any:
        counts.append(len(arguments[3]))
        return await hold_batch(*arguments, **named)

    monkeypatch.setattr(session_desk, "hold_batch", counting)
    return counts


async def opened(pool: Pool, made: MadeSession) -> list[BoxOffice]:
    """Open a desk in each of two processes; each has sold one place."""
    offices = [box_office(pool), box_office(pool)]
    for office in offices:
        await office.place_reservation(made.session_id, wants(made, 1))
    return offices


async def test_two_desks_sell_counted_places_without_the_lock(pool: Pool, locked: list[int]) -> None:
    made = await make_session(pool, capacity=1_000)
    offices = await opened(pool, made)
    for _ in range(3):
        calls = [one.place_reservation(made.session_id, wants(made, 1)) for one in offices for _ in range(80)]
        await asyncio.gather(*calls)
    assert locked == [1, 1]
    assert await counters(pool, made) == (1_000, 482, 0, 0)
    for office in offices:
        await office.close()


async def test_two_desks_sell_the_last_places_once(pool: Pool, locked: list[int]) -> None:
    made = await make_session(pool, capacity=152)
    offices = await opened(pool, made)
    calls = [one.place_reservation(made.session_id, wants(made, 1)) for one in offices for _ in range(100)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert Counter(type(one) for one in answers) == {Placed: 150, SoldOut: 50}
    assert len(locked) > 2
    assert await counters(pool, made) == (152, 152, 0, 0)
    for office in offices:
        await office.close()


async def test_a_batch_that_waited_is_not_held_by_terms_that_changed_meanwhile(pool: Pool) -> None:
    made = await make_session(pool)
    [office, _] = await opened(pool, made)
    async with transaction(pool, made.organization_id) as conn:
        await announce_terms_changed(conn, made.organization_id, made.session_id)
        await conn.execute("UPDATE prices SET price_minor = 2500 WHERE organization_id = $1", made.organization_id)
        asked = [asyncio.create_task(office.place_reservation(made.session_id, wants(made, 1))) for _ in range(3)]
        await somebody_waits(pool)
    assert [one.reservation.total_minor for one in await asyncio.gather(*asked)] == [2_500] * 3
    [alone] = await asyncio.gather(office.place_reservation(made.session_id, wants(made, 1)))
    assert alone.reservation.total_minor == 2_500
    await office.close()


async def test_a_desk_that_is_far_behind_catches_up(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, locked: list[int]
) -> None:
    monkeypatch.setattr(hold_ahead, "BEHIND_MAX", 3)
    made = await make_session(pool)
    [office, other] = await opened(pool, made)
    for _ in range(3):
        await other.place_reservation(made.session_id, wants(made, 1))
    await office.place_reservation(made.session_id, wants(made, 2))
    assert locked == [1, 1]
    await office.place_reservation(made.session_id, wants(made, 2))
    assert locked == [1, 1, 1]
    await office.place_reservation(made.session_id, wants(made, 2))
    assert locked == [1, 1, 1]
    assert await counters(pool, made) == (100, 11, 0, 0)


async def test_two_desks_choose_seats_under_the_lock(pool: Pool) -> None:
    made = await make_seated_session(pool, rectangle(10, 20))
    pair = (ItemRequest(made.types["adult"], best_available=BestAvailable(2)),)
    offices = [box_office(pool), box_office(pool)]
    for office in offices:
        for _ in range(UNDISTURBED_BATCHES + 1):
            await office.place_reservation(made.session_id, pair)
    for _ in range(2):
        calls = [one.place_reservation(made.session_id, pair) for one in offices for _ in range(20)]
        await asyncio.gather(*calls)
    taken: list[tuple[int, UUID]] = await pool.fetch(
        "SELECT seat_index, reservation_id FROM seats WHERE organization_id = $1 AND state = 1", made.organization_id
    )
    assert len(taken) == 2 * (2 * (UNDISTURBED_BATCHES + 1) + 80)
    assert set(Counter(reservation_id for _, reservation_id in taken).values()) == {2}
    for office in offices:
        await office.close()
