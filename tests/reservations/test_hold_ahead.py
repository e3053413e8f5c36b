"""The next batch is decided while the one before is being committed; what is not let through is undone."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from harness.stock import MadeSession, box_office, counters, make_session, wants
from harness.waiting import somebody_waits

from fullhouse.infra.idempotency import Claim
from fullhouse.infra.postgres import Connection, Pool, transaction
from fullhouse.infra.system import make_id
from fullhouse.reservations.ahead import hold_ahead, write_flights
from fullhouse.reservations.decide import Request
from fullhouse.reservations.hold_batch import hold_batch
from fullhouse.reservations.kept_answers import find_answers, keep_new_refusals
from fullhouse.reservations.place_reservation import BoxOffice, Placed, RepeatedRefusal
from fullhouse.reservations.refuse_again import refuse_batch
from fullhouse.reservations.rules import Reservation, SoldOut
from fullhouse.reservations.session_desk import DECIDED_TOGETHER
from fullhouse.reservations.wish import Memory, Outcome, Wish, idempotency_scope


async def warmed(pool: Pool, made: MadeSession, patience_seconds: float = 0.0) -> BoxOffice:
    """Open a desk that does without the lock; it has sold four places."""
    office = box_office(pool, patience_seconds)
    await office.place_reservation(made.session_id, wants(made, 4))
    return office


def wish_of(made: MadeSession, quantity: int, key: str) -> Wish:
    claim = Claim(made.organization_id, idempotency_scope(made.session_id), key, b"print")
    return Wish(Request(make_id(), wants(made, quantity), b"hash"), claim)


@asynccontextmanager
async def other_process(pool: Pool, made: MadeSession, wish: Wish) -> AsyncGenerator[Connection]:
    """Hold in a transaction of another process that has not committed yet."""
    async with transaction(pool, made.organization_id) as conn:
        [outcome] = await hold_batch(conn, make_id, Memory(made.organization_id, made.session_id), [wish])
        assert isinstance(outcome.result, Reservation)
        yield conn


async def test_what_another_process_left_no_room_for_is_undone(pool: Pool) -> None:
    made = await make_session(pool, capacity=300, per_order_max=300)
    office = await warmed(pool, made)
    async with other_process(pool, made, wish_of(made, 196, "other")):
        asked = [asyncio.create_task(office.place_reservation(made.session_id, wants(made, 1))) for _ in range(200)]
        await somebody_waits(pool)
        assert [one.done() for one in asked] == [False] * 200
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(one, Placed) for one in answers].count(True) == 100
    assert [isinstance(one, SoldOut) for one in answers].count(True) == 100
    assert await counters(pool, made) == (300, 300, 0, 0)
    await office.close()


async def test_what_was_committed_without_an_answer_is_found(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await make_session(pool, capacity=500)
    office = await warmed(pool, made)
    write, lost = hold_ahead.write_flight, list[int]()

    async def losing(*arguments: Any) -> Any:
        written = await write(*arguments)
        if not lost:
            lost.append(len(arguments[3].waiting))
            raise ConnectionResetError
        return written

    monkeypatch.setattr(write_flights, "write_flight", losing)
    answers = await asyncio.gather(
        *(office.place_reservation(made.session_id, wants(made, 1), f"key {n}", b"print") for n in range(200))
    )
    assert lost == [100]
    assert len({one.reservation.reservation_id for one in answers}) == 200
    assert await counters(pool, made) == (500, 204, 0, 0)
    again = await box_office(pool).place_reservation(made.session_id, wants(made, 1), "key 0", b"print")
    assert (again.reservation, again.replayed) == (answers[0].reservation, True)
    await office.close()


async def test_who_gives_up_before_the_batch_leaves_takes_nothing(pool: Pool) -> None:
    made = await make_session(pool, capacity=300, per_order_max=300)
    office = await warmed(pool, made)
    async with other_process(pool, made, wish_of(made, 1, "other")):
        asked = [asyncio.create_task(office.place_reservation(made.session_id, wants(made, 1))) for _ in range(200)]
        await somebody_waits(pool)
        for one in asked[150:]:
            one.cancel()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(one, Placed) for one in answers].count(True) == 150
    assert await counters(pool, made) == (300, 155, 0, 0)
    await office.close()


async def test_a_hold_that_waits_hears_of_the_refusal_that_its_key_got_meanwhile(pool: Pool) -> None:
    made = await make_session(pool)
    office = await warmed(pool, made)
    memory, wish = Memory(made.organization_id, made.session_id), wish_of(made, 1, "refused")
    assert wish.claim is not None
    async with transaction(pool, made.organization_id) as conn:
        assert await keep_new_refusals(conn, memory, [(wish.claim, Outcome(SoldOut()))]) == {}
        asked = asyncio.create_task(office.place_reservation(made.session_id, wants(made, 1), "refused", b"print"))
        await somebody_waits(pool)
    with pytest.raises(RepeatedRefusal):
        await asked
    # The next hold without the lock looks among the refusals as well.
    await office.place_reservation(made.session_id, wants(made, 1))
    with pytest.raises(RepeatedRefusal):
        await office.place_reservation(made.session_id, wants(made, 1), "refused", b"print")
    assert await counters(pool, made) == (100, 5, 0, 0)
    await office.close()


async def test_a_refusal_from_memory_hears_of_the_hold_that_its_key_got_meanwhile(pool: Pool) -> None:
    made = await make_session(pool)
    memory, wish = Memory(made.organization_id, made.session_id), wish_of(made, 1, "held")

    async def refuse() -> list[Outcome]:
        async with transaction(pool, made.organization_id) as conn:
            return await refuse_batch(conn, memory, [(wish_of(made, 1, "held"), SoldOut())])

    async with other_process(pool, made, wish):
        refused = asyncio.create_task(refuse())
        await somebody_waits(pool)
    [answer] = await refused
    assert isinstance(answer.result, Reservation)
    assert (answer.result.reservation_id, answer.replayed) == (wish.request.reservation_id, True)
    async with transaction(pool, made.organization_id) as conn:
        assert wish.claim is not None
        assert await find_answers(conn, memory, [wish.claim]) == {"held": answer}


PATIENCE_SECONDS = 60.0


class Company:
    """Stands in for the time that batches wait for company."""

    def __init__(self) -> None:
        self.waits, self.comes = asyncio.Event(), asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        if seconds:
            assert seconds <= PATIENCE_SECONDS
            self.waits.set()
            await self.comes.wait()


@pytest.fixture
def company(monkeypatch: pytest.MonkeyPatch) -> Company:
    company = Company()
    monkeypatch.setattr(write_flights, "sleep", company.sleep)
    return company


def ask(office: BoxOffice, made: MadeSession, count: int) -> list[asyncio.Future[object]]:
    """Ask for a place so many times, as those do who are answered at a glance: by the desk's own task."""
    answers: list[asyncio.Future[object]] = []
    for _ in range(count):
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        assert office.ask(made.session_id, wants(made, 1), None, b"", answer.set_result)
        answers.append(answer)
    return answers


async def version(pool: Pool, made: MadeSession) -> int:
    found: int = await pool.fetchval("SELECT version FROM stock WHERE session_id = $1", made.session_id)
    return found


async def one_then_others(
    pool: Pool, made: MadeSession, office: BoxOffice, count: int
) -> tuple[asyncio.Future[object], list[asyncio.Future[object]]]:
    """Ask for one place, and for others while that is being written; both are let go on."""
    async with transaction(pool, made.organization_id) as conn:
        await conn.execute("SELECT FROM stock WHERE session_id = $1 FOR UPDATE", made.session_id)
        (first,) = ask(office, made, 1)
        await somebody_waits(pool)
        return first, ask(office, made, count)


async def test_where_everybody_waits_the_few_who_came_meanwhile_wait_for_more(pool: Pool, company: Company) -> None:
    made = await make_session(pool)
    office = await warmed(pool, made, PATIENCE_SECONDS)
    before = await version(pool, made)
    first, others = await one_then_others(pool, made, office, 3)
    # After a while in which nobody held anything, the first did not wait.
    assert isinstance(await first, Placed)
    await company.waits.wait()
    others += ask(office, made, 1)
    assert not any(one.done() for one in others)
    company.comes.set()
    assert all(isinstance(one, Placed) for one in await asyncio.gather(*others))
    assert await version(pool, made) - before == 2
    assert await counters(pool, made) == (100, 9, 0, 0)
    await office.close()


async def test_where_everybody_waits_those_who_are_enough_wait_for_nobody(pool: Pool, company: Company) -> None:
    made = await make_session(pool, capacity=300)
    office = await warmed(pool, made, PATIENCE_SECONDS)
    first, others = await one_then_others(pool, made, office, DECIDED_TOGETHER + 1)
    assert all(isinstance(one, Placed) for one in await asyncio.gather(first, *others))
    assert not company.comes.is_set()
    company.comes.set()
    assert await counters(pool, made) == (300, 38, 0, 0)
    await office.close()


async def test_where_nobody_waits_long_nobody_waits_for_company(pool: Pool, company: Company) -> None:
    made = await make_session(pool)
    office = await warmed(pool, made)
    first, others = await one_then_others(pool, made, office, 3)
    assert all(isinstance(one, Placed) for one in await asyncio.gather(first, *others))
    assert not company.waits.is_set()
    await office.close()


async def test_a_desk_that_is_closed_answers_those_who_wait_for_company(pool: Pool, company: Company) -> None:
    made = await make_session(pool)
    office = await warmed(pool, made, PATIENCE_SECONDS)
    _, others = await one_then_others(pool, made, office, 3)
    await company.waits.wait()
    closing = asyncio.create_task(office.close())
    company.comes.set()
    await closing
    assert all(isinstance(one.result(), Placed) for one in others)
