import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from harness.pools import open_owners_pool
from harness.stock import TypePlan, box_office, counters, make_session, wants

from fullhouse.infra import system
from fullhouse.infra.idempotency import IdempotencyKeyReused
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.reservations.change_quota import announce_terms_changed, change_quota
from fullhouse.reservations.expire_reservations import expire_reservations
from fullhouse.reservations.place_reservation import Placed, RepeatedRefusal
from fullhouse.reservations.rules import (
    ItemRequest,
    LimitPerOrder,
    NotOnSale,
    NotSold,
    QuotaBelowSold,
    ReservationNotFound,
    ReservationStatus,
    SessionNotFound,
    SoldOut,
)


async def test_a_reservation_holds_stock_and_fixes_the_price(pool: Pool) -> None:
    made = await make_session(pool, capacity=10)
    office = box_office(pool)
    placed = await office.place_reservation(made.session_id, wants(made, 3))
    reservation = placed.reservation
    assert reservation.status is ReservationStatus.HELD
    assert reservation.total_minor == 3000
    assert reservation.currency == "EUR"
    assert [(item.quantity, item.price_minor) for item in reservation.items] == [(3, 1000)]
    assert reservation.expires_at - reservation.held_at == timedelta(seconds=900)
    assert await counters(pool, made) == (10, 3, 0, 0)
    assert await office.open_reservation(reservation.reservation_id, placed.token) == reservation


async def test_another_secret_opens_nothing(pool: Pool) -> None:
    made = await make_session(pool)
    office = box_office(pool)
    first = await office.place_reservation(made.session_id, wants(made, 1))
    second = await office.place_reservation(made.session_id, wants(made, 1))
    for token in (second.token, first.token[:-1], first.token[:-1] + "!", "", "x" * 44, "é" * 44):
        with pytest.raises(ReservationNotFound):
            await office.open_reservation(first.reservation.reservation_id, token)


async def test_more_than_is_left_is_refused_and_takes_nothing(pool: Pool) -> None:
    made = await make_session(pool, capacity=5)
    office = box_office(pool)
    with pytest.raises(SoldOut) as refused:
        await office.place_reservation(made.session_id, wants(made, 6))
    assert refused.value.fields["available"] == 5
    assert await counters(pool, made) == (5, 0, 0, 0)


async def test_all_or_nothing_over_several_items(pool: Pool) -> None:
    plans = {"adult": TypePlan(), "child": TypePlan(price_minor=500, quotas=("children",))}
    made = await make_session(pool, capacity=10, types=plans, quotas={"children": 2})
    office = box_office(pool)
    items = (*wants(made, 2), *wants(made, 3, "child"))
    with pytest.raises(SoldOut):
        await office.place_reservation(made.session_id, items)
    assert await counters(pool, made) == (10, 0, 0, 0)
    placed = await office.place_reservation(made.session_id, (*wants(made, 2), *wants(made, 2, "child")))
    assert placed.reservation.total_minor == 3000
    assert await counters(pool, made) == (10, 4, 0, 0)
    assert await counters(pool, made, "children") == (2, 2, 0, 0)


async def test_limits_and_strange_ticket_types_are_refused(pool: Pool) -> None:
    plans = {"adult": TypePlan(), "member": TypePlan(per_order_max=2)}
    made = await make_session(pool, types=plans, per_order_max=4)
    other = await make_session(pool)
    office = box_office(pool)
    with pytest.raises(LimitPerOrder) as limit:
        await office.place_reservation(made.session_id, wants(made, 5))
    assert limit.value.fields["limit"] == 4
    with pytest.raises(LimitPerOrder) as limit:
        await office.place_reservation(made.session_id, wants(made, 3, "member"))
    assert limit.value.fields["limit"] == 2
    with pytest.raises(NotSold):
        await office.place_reservation(made.session_id, wants(other, 1))
    with pytest.raises(NotSold):
        await office.place_reservation(made.session_id, (ItemRequest(made.types["adult"], seats=("A-1",)),))
    with pytest.raises(SessionNotFound):
        await office.place_reservation(system.make_id(), wants(made, 1))
    assert await counters(pool, made) == (100, 0, 0, 0)


async def test_nothing_is_sold_before_the_window_opens_and_desks_hear_of_changes(pool: Pool) -> None:
    made = await make_session(pool, sales_from=datetime.now(UTC) + timedelta(days=1))
    office = box_office(pool)
    with pytest.raises(NotOnSale) as refused:
        await office.place_reservation(made.session_id, wants(made, 1))
    assert refused.value.fields["sales_from"]
    async with transaction(pool, made.organization_id) as conn:
        await conn.execute("UPDATE sessions SET sales_from = NULL WHERE session_id = $1", made.session_id)
        await announce_terms_changed(conn, made.organization_id, made.session_id)
    office.desks.note_written()
    await office.place_reservation(made.session_id, wants(made, 1))
    assert await counters(pool, made) == (100, 1, 0, 0)


async def test_an_expired_hold_is_free_for_the_next_buyer_without_a_sweep(pool: Pool) -> None:
    made = await make_session(pool, capacity=4)
    office = box_office(pool)
    first = await office.place_reservation(made.session_id, wants(made, 4))
    await _lapse(pool, first)
    second = await office.place_reservation(made.session_id, wants(made, 3))
    assert await counters(pool, made) == (4, 3, 0, 0)
    gone = await office.open_reservation(first.reservation.reservation_id, first.token)
    assert gone.status is ReservationStatus.EXPIRED
    assert second.reservation.status is ReservationStatus.HELD


async def test_the_sweeper_returns_each_expired_hold_once(pool: Pool) -> None:
    made = await make_session(pool, capacity=10)
    office = box_office(pool)
    for _ in range(3):
        await _lapse(pool, await office.place_reservation(made.session_id, wants(made, 2)))
    kept = await office.place_reservation(made.session_id, wants(made, 1))
    await asyncio.gather(*(expire_reservations(pool, system.make_id) for _ in range(4)))
    assert await counters(pool, made) == (10, 1, 0, 0)
    assert kept.reservation.status is ReservationStatus.HELD


async def test_two_desks_on_one_session_never_oversell(pool: Pool) -> None:
    made = await make_session(pool, capacity=500)
    offices = [box_office(pool), box_office(pool)]
    start = asyncio.Event()

    async def buy(number: int) -> bool:
        await start.wait()
        try:
            await offices[number % 2].place_reservation(made.session_id, wants(made, 1))
        except SoldOut:
            return False
        return True

    tasks = [asyncio.create_task(buy(number)) for number in range(2000)]
    start.set()
    assert sum(await asyncio.gather(*tasks)) == 500
    assert await counters(pool, made) == (500, 500, 0, 0)


async def test_adults_and_children_share_a_quota(pool: Pool) -> None:
    plans = {"adult": TypePlan(), "child": TypePlan(quotas=("children",))}
    made = await make_session(pool, capacity=100, types=plans, quotas={"children": 30})
    offices = [box_office(pool), box_office(pool)]

    async def buy(number: int) -> str | None:
        kind = "child" if number % 2 else "adult"
        try:
            await offices[number // 2 % 2].place_reservation(made.session_id, wants(made, 1, kind))
        except SoldOut:
            return None
        return kind

    sold = await asyncio.gather(*(buy(number) for number in range(300)))
    assert sold.count("child") == 30
    assert sold.count("adult") == 70
    assert await counters(pool, made, "children") == (30, 30, 0, 0)


async def test_a_key_may_be_any_text_also_where_the_desk_does_without_the_lock(pool: Pool) -> None:
    made = await make_session(pool, capacity=50)
    office = box_office(pool)
    keys = [*(f"plain-{n}" for n in range(4)), 'with "quotes"', "back\\slash", "{1,2}", "NULL", "a,b", " ", "çã\u2028"]
    placed = [await office.place_reservation(made.session_id, wants(made, 1), key, b"same") for key in keys]
    again = [await box_office(pool).place_reservation(made.session_id, wants(made, 1), key, b"same") for key in keys]
    assert [one.token for one in again] == [one.token for one in placed]
    assert all(one.replayed for one in again)
    assert await counters(pool, made) == (50, len(keys), 0, 0)


async def test_one_key_has_one_effect_and_equal_answers(pool: Pool) -> None:
    made = await make_session(pool)
    offices = [box_office(pool), box_office(pool)]
    answers = await asyncio.gather(
        *(offices[n % 2].place_reservation(made.session_id, wants(made, 2), "key-1", b"same") for n in range(20))
    )
    assert {answer.reservation.reservation_id for answer in answers} == {answers[0].reservation.reservation_id}
    assert len({(answer.token, answer.reservation.expires_at) for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    assert await counters(pool, made) == (100, 2, 0, 0)
    with pytest.raises(IdempotencyKeyReused):
        await offices[0].place_reservation(made.session_id, wants(made, 1), "key-1", b"other")


async def test_the_retry_of_a_won_hold_is_not_told_that_it_sold_out(pool: Pool) -> None:
    made = await make_session(pool, capacity=2)
    office = box_office(pool)
    won = await office.place_reservation(made.session_id, wants(made, 2), "key", b"same")
    again = await office.place_reservation(made.session_id, wants(made, 2), "key", b"same")
    assert again.reservation == won.reservation
    assert again.replayed


async def test_a_final_refusal_is_repeated_though_stock_has_come_back(pool: Pool) -> None:
    made = await make_session(pool, capacity=2)
    office = box_office(pool)
    won = await office.place_reservation(made.session_id, wants(made, 2))
    with pytest.raises(SoldOut) as first:
        await office.place_reservation(made.session_id, wants(made, 1), "key", b"same")
    await _lapse(pool, won)
    with pytest.raises(RepeatedRefusal) as again:
        await office.place_reservation(made.session_id, wants(made, 1), "key", b"same")
    assert isinstance(again.value.error, SoldOut)
    assert again.value.error.fields == first.value.fields


async def test_a_bad_request_does_not_fail_its_neighbours(pool: Pool) -> None:
    made = await make_session(pool)
    office = box_office(pool)
    unstorable = "a\x00key"
    good = [office.place_reservation(made.session_id, wants(made, 1)) for _ in range(5)]
    results = await asyncio.gather(
        office.place_reservation(made.session_id, wants(made, 1), unstorable, b"same"), *good, return_exceptions=True
    )
    assert isinstance(results[0], Exception)
    assert all(isinstance(result, Placed) for result in results[1:])
    assert await counters(pool, made) == (100, 5, 0, 0)


async def test_a_quota_cannot_be_lowered_below_what_is_held(pool: Pool) -> None:
    made = await make_session(pool, capacity=10)
    office = box_office(pool)
    await office.place_reservation(made.session_id, wants(made, 4))
    with pytest.raises(QuotaBelowSold) as refused:
        async with transaction(pool, made.organization_id) as conn:
            await change_quota(conn, made.organization_id, made.session_id, made.category_quota, 3)
    assert (refused.value.fields["held"], refused.value.fields["sold"]) == (4, 0)
    async with transaction(pool, made.organization_id) as conn:
        await change_quota(conn, made.organization_id, made.session_id, made.category_quota, 5)
    with pytest.raises(SoldOut):
        await office.place_reservation(made.session_id, wants(made, 2))
    await office.place_reservation(made.session_id, wants(made, 1))
    assert await counters(pool, made) == (5, 5, 0, 0)


async def test_a_hold_runs_as_many_statements_in_a_large_session_as_in_a_small_one(database_url: str) -> None:
    pool = await open_owners_pool(database_url, size_max=1)
    statements: list[str] = []
    async with pool.acquire() as conn:
        conn.add_query_logger(lambda record: statements.append(record.query))
    counts: list[int] = []
    for capacity in (10, 900_000):
        made = await make_session(pool, capacity=capacity)
        office = box_office(pool)
        await office.place_reservation(made.session_id, wants(made, 1), "first", b"same")
        statements.clear()
        await office.place_reservation(made.session_id, wants(made, 1), "second", b"same")
        counts.append(len(statements))
    await pool.close()
    assert counts[0] == counts[1]
    assert counts[0] <= 10


async def _lapse(pool: Pool, placed: Placed) -> None:
    await pool.execute(
        "UPDATE reservations SET expires_at = clock_timestamp() - interval '1 second' WHERE reservation_id = $1",
        placed.reservation.reservation_id,
    )
