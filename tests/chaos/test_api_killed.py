"""kill -9 of the API in the middle of a sale: what a client was told stays true, and a retry has one effect."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import httpx
from harness.api_process import api_process, settings_of, worker_process
from harness.pools import open_owners_pool
from harness.stock import MadeSession, make_seated_session, make_session, rectangle
from harness.waiting import until

from fullhouse.operations.verify import verify

BUYERS = 16
PLACES = 160


async def _ask_until_answered(
    client: httpx.AsyncClient, url: list[str], body: dict[str, Any], key: str
) -> httpx.Response:
    """Send one request with one key until it has an answer, whoever dies meanwhile."""
    async with asyncio.timeout(90):
        while True:
            try:
                answer = await client.post(f"{url[0]}/api/v1/reservations", json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code not in {409, 503} or answer.json()["code"] in {"sold_out", "seat_taken"}:
                return answer
            await asyncio.sleep(0.05)


async def _buy_while_the_api_dies(
    made: MadeSession, item: dict[str, Any], address: list[str], kills: asyncio.Event, counted: list[int]
) -> list[httpx.Response]:
    body = {"session_id": str(made.session_id), "items": [{"ticket_type_id": str(made.types["adult"]), **item}]}

    async def buyer(number: int) -> list[httpx.Response]:
        answers: list[httpx.Response] = []
        for turn in range(12):
            answers.append(await _ask_until_answered(client, address, body, f"buyer-{number}-{turn}"))
            counted[0] += 1
            if counted[0] == BUYERS * 2:
                kills.set()
        return answers

    async with httpx.AsyncClient(timeout=20, limits=httpx.Limits(max_connections=BUYERS)) as client:
        return [answer for some in await asyncio.gather(*map(buyer, range(BUYERS))) for answer in some]


async def test_holds_survive_the_death_of_the_api_and_retries_hold_once(
    fresh_database: str, valkey_url: str, tmp_path: Path
) -> None:
    pool = await open_owners_pool(fresh_database)
    standing = await make_session(pool, capacity=PLACES)
    seated = await make_seated_session(pool, rectangle(8, 20))
    environment = settings_of(fresh_database, valkey_url, tmp_path, rate_limits="off")
    address = [""]
    kills, counted = asyncio.Event(), [0]
    with api_process(tmp_path, environment) as (first, url):
        address[0] = url
        buying = asyncio.gather(
            _buy_while_the_api_dies(standing, {"quantity": 1}, address, kills, counted),
            _buy_while_the_api_dies(seated, {"best_available": 1}, address, kills, counted),
        )
        await kills.wait()
        os.kill(first.pid, signal.SIGKILL)
        await asyncio.to_thread(first.wait)
    with api_process(tmp_path, environment) as (_, url):
        address[0] = url
        answers = await buying
    for made, given in zip((standing, seated), answers, strict=True):
        held = [answer.json() for answer in given if answer.status_code == 201]
        assert {answer.status_code for answer in given} == {201, 409}
        assert len({one["id"] for one in held}) == len(held) == PLACES
        rows = await pool.fetch(
            "SELECT reservation_id FROM reservations WHERE organization_id = $1", made.organization_id
        )
        assert {str(row["reservation_id"]) for row in rows} == {one["id"] for one in held}

    async def sent() -> bool:
        return not await pool.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NULL")

    with worker_process(tmp_path, environment):
        await until(sent)
    assert await verify(pool) == []
    await pool.close()
