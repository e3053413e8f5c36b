"""What was refused is refused again from memory: for a second at most, and a won hold is still found."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from harness.stock import MadeSession, box_office, counters, make_session, wants

from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, transaction
from fullhouse.infra.system import make_id
from fullhouse.reservations import desk as desks
from fullhouse.reservations import session_desk
from fullhouse.reservations.place_reservation import BoxOffice, RepeatedRefusal
from fullhouse.reservations.release_reservation import release_reservation
from fullhouse.reservations.rules import NotOnSale, SoldOut


@dataclass
class Borrowed:
    count: int = 0


@contextmanager
def counted(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Generator[Borrowed]:
    """Count how often a connection is borrowed: without one there is no statement."""
    borrowed, take = Borrowed(), pool.take

    async def counting(whose: Any) -> Any:
        borrowed.count += 1
        return await take(whose)

    with monkeypatch.context() as patched:
        patched.setattr(pool, "take", counting)
        yield borrowed


class Hands:
    """The clock of the event loop as the desk reads it, moved by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        clock = desks.loop_seconds
        for module in (desks, session_desk):
            monkeypatch.setattr(module, "loop_seconds", lambda: clock() + self.ahead)


async def refused(office: BoxOffice, made: MadeSession, quantity: int = 1, key: str | None = None) -> SoldOut:
    with pytest.raises(SoldOut) as raised:
        await office.place_reservation(made.session_id, wants(made, quantity), key, b"print")
    return raised.value


async def test_those_who_lose_do_not_touch_the_database(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    made, office = await make_session(pool, capacity=1), box_office(pool)
    await office.place_reservation(made.session_id, wants(made, 1))
    first = await refused(office, made)
    with counted(pool, monkeypatch) as borrowed:
        others = await asyncio.gather(*(refused(office, made) for _ in range(500)))
    assert borrowed.count == 0
    assert {(one.code, str(one.fields)) for one in others} == {(first.code, str(first.fields))}
    assert len({id(one) for one in others}) == 500
    await office.close()


async def test_after_a_second_the_database_is_asked_again(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands(monkeypatch)
    made, office = await make_session(pool, capacity=1), box_office(pool)
    held = await office.place_reservation(made.session_id, wants(made, 1))
    await refused(office, made)
    async with transaction(pool, EVERY_ORGANIZATION) as conn:
        await release_reservation(conn, make_id, made.organization_id, held.reservation.reservation_id)
    await refused(office, made)
    hands.ahead = 1.0
    await office.place_reservation(made.session_id, wants(made, 1))
    assert await counters(pool, made) == (1, 1, 0, 0)
    await office.close()


async def test_a_refusal_ends_with_the_next_hold_that_lapses(pool: Pool) -> None:
    made, office = await make_session(pool, capacity=1), box_office(pool)
    held = await office.place_reservation(made.session_id, wants(made, 1))
    await pool.execute(
        "UPDATE reservations SET expires_at = clock_timestamp() + interval '0.4 s' WHERE reservation_id = $1",
        held.reservation.reservation_id,
    )
    await refused(office, made)
    await pool.execute("SELECT pg_sleep(0.4)")
    await office.place_reservation(made.session_id, wants(made, 1))
    await office.close()


async def test_opening_hours_are_refused_from_memory_too(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await make_session(pool, sales_from=datetime.now(UTC) + timedelta(days=1))
    office = box_office(pool)
    with pytest.raises(NotOnSale):
        await office.place_reservation(made.session_id, wants(made, 1))
    with counted(pool, monkeypatch) as borrowed:
        for _ in range(20):
            with pytest.raises(NotOnSale):
                await office.place_reservation(made.session_id, wants(made, 1))
    assert borrowed.count == 0
    await office.close()


async def test_a_won_hold_is_found_among_those_who_lose(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    made, office = await make_session(pool, capacity=1), box_office(pool)
    won = await office.place_reservation(made.session_id, wants(made, 1), "won", b"print")
    await refused(office, made)
    with counted(pool, monkeypatch) as borrowed:
        again, *_ = await asyncio.gather(
            office.place_reservation(made.session_id, wants(made, 1), "won", b"print"),
            asyncio.gather(*(refused(office, made, key=f"lost {number}") for number in range(100))),
        )
    assert borrowed.count == 1
    assert (again.reservation, again.replayed) == (won.reservation, True)
    await office.close()


async def test_a_refused_key_is_refused_for_good(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands(monkeypatch)
    made, office = await make_session(pool, capacity=1), box_office(pool)
    held = await office.place_reservation(made.session_id, wants(made, 1))
    await refused(office, made)
    await refused(office, made, key="lost")
    async with transaction(pool, EVERY_ORGANIZATION) as conn:
        await release_reservation(conn, make_id, made.organization_id, held.reservation.reservation_id)
    hands.ahead = 2.0
    for office_of_process in (office, box_office(pool)):
        with pytest.raises(RepeatedRefusal) as repeated:
            await office_of_process.place_reservation(made.session_id, wants(made, 1), "lost", b"print")
        assert isinstance(repeated.value.error, SoldOut)
    await office.place_reservation(made.session_id, wants(made, 1), "new", b"print")
    await office.close()
