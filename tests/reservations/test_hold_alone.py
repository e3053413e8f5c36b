"""A lone buyer's statement writes what the statement of a batch writes."""

import asyncio
from typing import Any

import pytest
from harness.stock import (
    MadeSession,
    TypePlan,
    box_office,
    counters,
    make_seated_session,
    make_session,
    rectangle,
    wants,
)
from harness.waiting import somebody_waits

from fullhouse.infra.postgres import Pool, transaction
from fullhouse.reservations.ahead import hold_ahead, hold_alone
from fullhouse.reservations.place_reservation import BoxOffice
from fullhouse.reservations.rules import BestAvailable, ItemRequest, SoldOut
from fullhouse.reservations.writes import lock_stock

_NOT_COMPARED = {
    "reservation_id",
    "session_id",
    "organization_id",
    "token_hash",
}


async def rows(pool: Pool, made: MadeSession) -> list[dict[str, Any]]:
    found = await pool.fetch(
        """
        SELECT *, first_expires_at = expires_at AS keeps_time FROM reservations
        WHERE organization_id = $1 ORDER BY reservation_id
        """,
        made.organization_id,
    )
    return [
        {name: value for name, value in row.items() if name not in _NOT_COMPARED and not name.endswith("_at")}
        for row in found
    ]


async def test_alone_and_together_the_same_is_written(pool: Pool, monkeypatch: Any) -> None:
    alone = list[str]()
    one = hold_ahead.hold_one_at_version

    async def counting(*arguments: Any) -> Any:
        alone.append("alone")
        return await one(*arguments)

    monkeypatch.setattr(hold_ahead, "hold_one_at_version", counting)
    written: list[list[dict[str, Any]]] = []
    for together in (False, True):
        made = await make_session(pool, types={"adult": TypePlan(quotas=("all",))}, quotas={"all": 50})
        office = box_office(pool)
        await office.place_reservation(made.session_id, wants(made, 1), "warm", b"print")
        calls = [office.place_reservation(made.session_id, wants(made, 2), f"key {n}", b"print") for n in range(2)]
        if together:
            await asyncio.gather(*calls)
        else:
            held = [await call for call in calls]
            again = await office.place_reservation(made.session_id, wants(made, 2), "key 0", b"print")
            assert (again.reservation, again.replayed) == (held[0].reservation, True)
        assert await counters(pool, made) == (100, 5, 0, 0)
        assert await counters(pool, made, "all") == (50, 5, 0, 0)
        written.append(await rows(pool, made))
        await office.close()
    assert len(alone) == 3
    kinds = [[str({name: type(value) for name, value in row.items()}) for row in of] for of in written]
    assert kinds[0] == kinds[1]
    shapes = [sorted((row["total_minor"], row["currency"], str(row["quota_counts"])) for row in of) for of in written]
    assert shapes[0] == shapes[1]
    keyed = [sorted((row["idempotency_key"], row["fingerprint"], row["keeps_time"]) for row in of) for of in written]
    assert keyed[0] == keyed[1] == [(key, b"print", True) for key in ("key 0", "key 1", "warm")]


async def test_keys_of_a_batch_are_kept_as_they_are(pool: Pool) -> None:
    made = await make_session(pool)
    office = await alone_at_a_desk(pool, made)
    keys = ['"', "\\", "NULL", "null", "a,b", "{}", "ä€😀", " x "]
    held = await asyncio.gather(*(office.place_reservation(made.session_id, wants(made, 1), key, b"") for key in keys))
    again = [await box_office(pool).place_reservation(made.session_id, wants(made, 1), key, b"") for key in keys]
    assert [one.reservation for one in held] == [one.reservation for one in again]
    assert sorted(str(row["idempotency_key"]) for row in await rows(pool, made) if row["idempotency_key"]) == sorted(
        keys
    )
    await office.close()


async def alone_at_a_desk(pool: Pool, made: MadeSession) -> BoxOffice:
    """Open a desk at which one buyer after the other was alone."""
    office = box_office(pool)
    for _ in range(2):
        await office.place_reservation(made.session_id, wants(made, 1))
    return office


async def test_who_comes_while_somebody_is_served_alone_is_served_after(pool: Pool) -> None:
    made = await make_session(pool)
    office = await alone_at_a_desk(pool, made)
    async with transaction(pool, made.organization_id) as conn:
        await lock_stock(conn, made.organization_id, made.session_id)
        alone = asyncio.create_task(office.place_reservation(made.session_id, wants(made, 1)))
        await somebody_waits(pool)
        others = [asyncio.create_task(office.place_reservation(made.session_id, wants(made, 1))) for _ in range(40)]
        await asyncio.sleep(0)
        assert office.desks.waiting_count == 40
    assert len({one.reservation.reservation_id for one in await asyncio.gather(alone, *others)}) == 41
    assert await counters(pool, made) == (100, 43, 0, 0)
    await office.close()


async def test_who_is_served_alone_and_gives_up_disturbs_nobody(pool: Pool) -> None:
    made = await make_session(pool)
    office = await alone_at_a_desk(pool, made)
    async with transaction(pool, made.organization_id) as conn:
        await lock_stock(conn, made.organization_id, made.session_id)
        alone = asyncio.create_task(office.place_reservation(made.session_id, wants(made, 1)))
        await somebody_waits(pool)
        others = [asyncio.create_task(office.place_reservation(made.session_id, wants(made, 1))) for _ in range(3)]
        await asyncio.sleep(0)
        alone.cancel()
        await asyncio.gather(alone, return_exceptions=True)
        assert alone.cancelled()
    await asyncio.gather(*others)
    assert await counters(pool, made) == (100, 5, 0, 0)
    await office.close()


async def test_who_is_served_alone_is_refused_as_others_are(pool: Pool) -> None:
    made = await make_session(pool, capacity=3)
    office = await alone_at_a_desk(pool, made)
    with pytest.raises(SoldOut):
        await office.place_reservation(made.session_id, wants(made, 2))
    await office.place_reservation(made.session_id, wants(made, 1))
    assert await counters(pool, made) == (3, 3, 0, 0)
    await office.close()


async def test_what_was_committed_alone_without_an_answer_is_found(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await make_session(pool)
    office = await alone_at_a_desk(pool, made)
    one, lost = hold_ahead.hold_one_at_version, list[str]()

    async def losing(*arguments: Any) -> Any:
        written = await one(*arguments)
        if not lost:
            lost.append("lost")
            raise ConnectionResetError
        return written

    monkeypatch.setattr(hold_ahead, "hold_one_at_version", losing)
    held = await office.place_reservation(made.session_id, wants(made, 1), "lost", b"print")
    again = await office.place_reservation(made.session_id, wants(made, 1), "lost", b"print")
    assert (lost, again.reservation, again.replayed) == (["lost"], held.reservation, True)
    await office.place_reservation(made.session_id, wants(made, 1))
    assert await counters(pool, made) == (100, 4, 0, 0)
    await office.close()


async def test_who_was_decided_alone_and_let_through_by_nobody_takes_the_lock(pool: Pool) -> None:
    made = await make_session(pool, capacity=3)
    office, other = await alone_at_a_desk(pool, made), box_office(pool)
    await other.place_reservation(made.session_id, wants(made, 1), "another's", b"print")
    with pytest.raises(SoldOut):
        await office.place_reservation(made.session_id, wants(made, 1))
    again = await office.place_reservation(made.session_id, wants(made, 1), "another's", b"print")
    assert again.replayed
    assert await counters(pool, made) == (3, 3, 0, 0)
    await office.close()
    await other.close()


async def test_seats_are_chosen_alone(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await make_seated_session(pool, rectangle(4, 10))
    office, alone = box_office(pool), list[str]()
    one = hold_alone.write_one

    async def counting(*arguments: Any) -> Any:
        alone.append("alone")
        return await one(*arguments)

    monkeypatch.setattr(hold_alone, "write_one", counting)
    pair = (ItemRequest(made.types["adult"], best_available=BestAvailable(2)),)
    held = [await office.place_reservation(made.session_id, pair) for _ in range(20)]
    assert len(alone) > 10
    seats = [seat.key for placed in held for item in placed.reservation.items for seat in item.seats]
    assert len(seats) == len(set(seats)) == 40
    with pytest.raises(SoldOut):
        await office.place_reservation(made.session_id, pair)
    await office.close()
