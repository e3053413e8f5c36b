"""Valkey is flushed, killed and away during a sale: it changes the speed of things and nothing else."""

import asyncio
import os
import signal
from pathlib import Path

import httpx
import pytest
from harness.stock import counters, make_session
from harness.web import client_of, make_resources, running_app
from valkey.asyncio import Valkey

from fullhouse.infra.embedded import valkey as embedded
from fullhouse.infra.postgres import Pool
from fullhouse.infra.resources import open_valkey

PLACES = 300


@pytest.fixture
def short_folder(tmp_path: Path) -> Path:
    return tmp_path


async def test_a_sale_goes_on_while_valkey_is_flushed_killed_and_gone(pool: Pool, short_folder: Path) -> None:
    server = await asyncio.to_thread(embedded.start, short_folder / "valkey")
    client_of_valkey: Valkey = open_valkey(server.url)
    made = await make_session(pool, capacity=PLACES)
    body = {"session_id": str(made.session_id), "items": [{"ticket_type_id": str(made.types["adult"]), "quantity": 1}]}
    resources = make_resources(pool, client_of_valkey, short_folder)
    try:
        async with running_app(resources) as app, client_of(app) as client:

            async def buy() -> int:
                answer = await client.post("/api/v1/reservations", json=body)
                look = await client.get(f"/api/v1/sessions/{made.session_id}/availability")
                assert look.status_code == 200
                return answer.status_code

            first = [asyncio.create_task(buy()) for _ in range(100)]
            await client_of_valkey.flushall()
            second = [asyncio.create_task(buy()) for _ in range(100)]
            os.kill(server.pid, signal.SIGKILL)
            statuses = [*await asyncio.gather(*first), *await asyncio.gather(*second)]
            statuses += await asyncio.gather(*(buy() for _ in range(150)))
            ready: httpx.Response = await client.get("/readyz")
    finally:
        server.stop()
        await client_of_valkey.aclose()
    assert statuses.count(201) == PLACES
    assert statuses.count(409) == 50
    assert await counters(pool, made) == (PLACES, PLACES, 0, 0)
    assert ready.json()["parts"]["valkey"] != "ok"
