"""Two API processes as operators run them: what one sells the other tells, and one that stops sends its readers on."""

import asyncio
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from harness.api_process import api_process, settings_of
from harness.stock import make_session
from harness.streams import Event, apply, parse, state_of

from fullhouse.infra.postgres import Pool

PATIENCE_SECONDS = 30


@asynccontextmanager
async def reading(address: str, path: str, **headers: str) -> AsyncGenerator[AsyncIterator[Event]]:
    """Follow a session over the wire."""

    async def events(answer: httpx.Response) -> AsyncIterator[Event]:
        text = ""
        async for part in answer.aiter_text():
            text += part
            whole, _, text = text.rpartition("\n\n")
            for event in parse(whole):
                yield event

    async with (
        httpx.AsyncClient(base_url=address, timeout=PATIENCE_SECONDS) as client,
        client.stream("GET", f"{path}/stream", headers=headers) as answer,
    ):
        assert (answer.status_code, answer.headers["transfer-encoding"]) == (200, "chunked")
        yield events(answer)


async def test_a_reader_goes_on_at_another_process_when_its_own_stops(
    database_url: str, valkey_url: str, pool: Pool, tmp_path: Path
) -> None:
    made = await make_session(pool, capacity=100)
    path = f"/api/v1/sessions/{made.session_id}"
    body = {"session_id": str(made.session_id), "items": [{"ticket_type_id": str(made.types["adult"]), "quantity": 2}]}
    environment = settings_of(database_url, valkey_url, tmp_path, log_format="json", drain_seconds="1")
    with api_process(tmp_path, environment) as (leaving, one), api_process(tmp_path, environment) as (_, other):
        async with httpx.AsyncClient(base_url=other, timeout=PATIENCE_SECONDS) as client:
            # Somebody watches at the other process all the while, so that it knows what happened.
            async with reading(one, path) as events, reading(other, path) as others, asyncio.timeout(PATIENCE_SECONDS):
                state = apply(None, await anext(events))
                await anext(others)
                assert (await client.post("/api/v1/reservations", json=body)).status_code == 201
                state = apply(state, await anext(events))
                assert state["ticket_types"][0]["available"] == 98
                leaving.send(signal.SIGTERM)
                assert [event.name async for event in events] == []
            assert leaving.wait() == 0
            async with reading(other, path, **{"Last-Event-ID": str(state["version"])}) as events:
                assert (await client.post("/api/v1/reservations", json=body)).status_code == 201
                while state["ticket_types"][0]["available"] > 96:
                    event = await anext(events)
                    assert event.name == "change"
                    state = apply(state, event)
            assert state == state_of((await client.get(f"{path}/availability")).json())
    assert '"level": "error"' not in leaving.text()
