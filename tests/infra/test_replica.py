"""The primary is killed with kill -9 in the middle of a sale and its synchronous replica promoted: nothing is lost."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from harness.pools import open_owners_pool
from harness.replica import Pair, running_pair
from harness.stock import MadeSession, box_office, counters, make_session, wants

from fullhouse.core.errors import Unavailable
from fullhouse.infra import system
from fullhouse.infra.migrate import migrate
from fullhouse.infra.postgres import DatabaseUnavailable, transaction
from fullhouse.reservations.place_reservation import BoxOffice

BUYERS = 24
HOLDS_BEFORE, HOLDS_AFTER = 200, 200


@pytest.fixture
async def pair(short_folder: Path) -> AsyncIterator[Pair]:
    async with running_pair(short_folder) as running:
        yield running


async def buy(office: BoxOffice, made: MadeSession, acknowledged: list[UUID], on_held: Callable[[], None]) -> None:
    """Buy one place after the other, each with a key of its own, and ask again where there was no answer."""
    while len(acknowledged) < HOLDS_BEFORE + HOLDS_AFTER:
        key = str(os.urandom(8).hex())
        while True:
            try:
                placed = await office.place_reservation(made.session_id, wants(made, 1), key, b"the same")
            except (Unavailable, DatabaseUnavailable):
                await asyncio.sleep(0.02)
            else:
                acknowledged.append(placed.reservation.reservation_id)
                on_held()
                break


async def test_a_promoted_replica_has_all_that_buyers_were_promised_and_sells_on(pair: Pair) -> None:
    await migrate(pair.url)
    pool = await open_owners_pool(pair.url)
    made = await make_session(pool, capacity=10_000)
    office, acknowledged, half = box_office(pool), list[UUID](), asyncio.Event()

    def on_held() -> None:
        if len(acknowledged) >= HOLDS_BEFORE:
            half.set()

    try:
        async with asyncio.timeout(60):
            buyers = asyncio.gather(*(buy(office, made, acknowledged, on_held) for _ in range(BUYERS)))
            await half.wait()
            os.kill(pair.primary.pid, signal.SIGKILL)
            promised = set(acknowledged)
            await pair.promote()
            await buyers
    finally:
        await office.close()
    assert promised
    assert len(acknowledged) == len(set(acknowledged)) >= HOLDS_BEFORE + HOLDS_AFTER
    conn = await asyncpg.connect(pair.replica.url)
    found = {row["reservation_id"] for row in await conn.fetch("SELECT reservation_id FROM reservations")}
    await conn.close()
    assert found == set(acknowledged), "each was promised once, and each is there"
    assert await counters(pool, made) == (10_000, len(found), 0, 0)
    await pool.close()


async def test_a_connection_to_what_has_become_a_replica_is_given_up(database_url: str) -> None:
    pool = await open_owners_pool(database_url, size_max=1)
    organization_id = system.make_id()

    async def write() -> int:
        async with transaction(pool, organization_id) as conn:
            await conn.execute("INSERT INTO organizations (organization_id, name) VALUES ($1, 'x')", organization_id)
            found: int = await conn.fetchval("SELECT pg_backend_pid()")
        return found

    async with transaction(pool, organization_id) as conn:
        before = await conn.fetchval("SELECT pg_backend_pid()")
        await conn.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    with pytest.raises(DatabaseUnavailable):
        await write()
    assert await write() != before
    await pool.close()
