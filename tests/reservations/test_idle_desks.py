"""Desks are closed when nobody asks: the longest idle of too many, and each after ten minutes."""

import pytest
from harness.stock import box_office, counters, make_seated_session, make_session, rectangle, wants

from fullhouse.infra.postgres import Pool
from fullhouse.reservations import desk as desks
from fullhouse.reservations.rules import BestAvailable, ItemRequest


async def test_a_desk_that_nobody_asks_is_closed_after_ten_minutes(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, ahead = desks.loop_seconds, [0.0]
    monkeypatch.setattr(desks, "loop_seconds", lambda: clock() + ahead[0])
    office, asked, left = box_office(pool), await make_session(pool), await make_session(pool)
    await office.place_reservation(left.session_id, wants(left, 1))
    ahead[0] = desks.IDLE_SECONDS_MAX - 1
    await office.place_reservation(asked.session_id, wants(asked, 1))
    office.desks.close_idle()
    assert office.desks.open_count == 2
    ahead[0] += 2
    office.desks.close_idle()
    assert office.desks.open_count == 1
    await office.place_reservation(left.session_id, wants(left, 1))
    assert office.desks.open_count == 2
    assert await counters(pool, left) == (100, 2, 0, 0)
    await office.close()


async def test_of_too_many_desks_the_longest_idle_is_closed(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "WEIGHT_MAX", 2)
    office = box_office(pool)
    for _ in range(4):
        made = await make_session(pool)
        await office.place_reservation(made.session_id, wants(made, 1))
        assert office.desks.open_count <= 2
    await office.close()


async def test_a_room_takes_the_place_of_many_counted_sessions(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "WEIGHT_MAX", 6)
    monkeypatch.setattr(desks, "SEATS_A_WEIGHT", 4)
    office = box_office(pool)

    for _ in range(5):
        made = await make_session(pool)
        await office.place_reservation(made.session_id, wants(made, 1))
    assert office.desks.open_count == 5
    room = await make_seated_session(pool, rectangle(2, 8))
    best = (ItemRequest(room.types["adult"], best_available=BestAvailable(2)),)
    await office.place_reservation(room.session_id, best)
    assert office.desks.open_count == 6
    # It weighs five, which is seen when the next opens: with that, nothing else has a place.
    made = await make_session(pool)
    await office.place_reservation(made.session_id, wants(made, 1))
    assert office.desks.open_count == 2
    await office.place_reservation(room.session_id, best)
    assert office.desks.open_count == 2
    await office.close()
