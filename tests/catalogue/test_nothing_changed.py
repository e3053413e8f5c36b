"""Who only looks, while nothing changed, touches no database: what is left, events and sessions, JSON and pages."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from harness.stock import MadeSession, make_session, wants
from harness.web import client_of, make_resources, running_app
from valkey.asyncio import Valkey

from fullhouse.infra import fresh
from fullhouse.infra.postgres import Pool
from fullhouse.web.edge import Edge

JSON = ("/api/v1/sessions/{session}/availability", "/api/v1/sessions/{session}", "/api/v1/events/{event}")
LISTS = ("/api/v1/events", "/api/v1/events?limit=2", "/")
PAGES = ("/sessions/{session}", "/events/{event}")


@pytest.fixture(scope="module")
async def app(pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    folder: Path = tmp_path_factory.mktemp("looking")
    async with running_app(make_resources(pool, valkey, folder)) as running:
        yield running


@pytest.fixture(scope="module")
async def client(app: Edge) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as opened:
        yield opened


@pytest.fixture
def borrowed(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each time that a connection is borrowed: without one there is no statement."""
    times, take = list[str](), pool.take

    async def counting(whose: Any) -> Any:
        times.append("borrowed")
        return await take(whose)

    monkeypatch.setattr(pool, "take", counting)
    monkeypatch.setattr(fresh, "FRESH_SECONDS", 60.0)
    return times


def path(form: str, made: MadeSession) -> str:
    return form.format(session=made.session_id, event=made.event_id)


@pytest.mark.parametrize("form", [*JSON, *PAGES, *LISTS])
async def test_only_the_first_look_asks_the_database(
    pool: Pool, app: Edge, client: httpx.AsyncClient, borrowed: list[str], form: str
) -> None:
    made = await make_session(pool)
    app.api.state.event_board.note_written()
    borrowed.clear()
    first = await client.get(path(form, made))
    assert (first.status_code, bool(borrowed)) == (200, True)
    borrowed.clear()
    others = [await client.get(path(form, made)) for _ in range(20)]
    assert [one.status_code for one in others] == [200] * 20
    assert borrowed == []


@pytest.mark.parametrize("form", [*JSON, "/events/{event}", *LISTS])
async def test_who_has_it_already_hears_that_it_still_stands(
    pool: Pool, client: httpx.AsyncClient, borrowed: list[str], form: str
) -> None:
    made = await make_session(pool)
    first = await client.get(path(form, made))
    borrowed.clear()
    again = await client.get(path(form, made), headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, borrowed) == (304, b"", [])
    other = await client.get(path(form, made), headers={"If-None-Match": '"another"'})
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize("form", JSON)
async def test_what_this_process_held_is_seen_at_once(
    pool: Pool, client: httpx.AsyncClient, borrowed: list[str], form: str
) -> None:
    made = await make_session(pool, capacity=7)
    before = await client.get(path(form, made))
    items = [{"ticket_type_id": str(made.types["adult"]), "quantity": 2}]
    held = await client.post("/api/v1/reservations", json={"session_id": str(made.session_id), "items": items})
    assert held.status_code == 201
    after = await client.get(path(form, made))
    assert after.headers["etag"] != before.headers["etag"]
    given_back = await client.delete(
        f"/api/v1/reservations/{held.json()['id']}", headers={"Authorization": f"Reservation {held.json()['token']}"}
    )
    assert given_back.status_code == 204
    borrowed.clear()
    assert '"available":7' in (await client.get(path(form, made))).text
    assert borrowed != []


async def test_an_onsale_costs_no_read_for_each_look(
    pool: Pool, app: Edge, client: httpx.AsyncClient, borrowed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh, "PACE_SECONDS", 60.0)
    made = await make_session(pool)
    board = app.api.state.event_board

    async def look() -> str:
        return (await client.get(path(JSON[1], made))).headers["etag"]

    before = await look()
    await app.api.state.box_office.place_reservation(made.session_id, wants(made, 1))
    after = await look()
    assert after != before
    await app.api.state.box_office.place_reservation(made.session_id, wants(made, 1))
    borrowed.clear()
    assert [await look() for _ in range(5)] == [after] * 5
    assert borrowed == []
    board.note_written()
    assert await look() != after


async def test_what_another_process_wrote_is_seen_within_a_second(
    pool: Pool, app: Edge, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await make_session(pool)
    assert (await client.get(path(JSON[2], made))).json()["name"] == "A concert"
    await pool.execute("UPDATE events SET name = 'Another' WHERE event_id = $1", made.event_id)
    monkeypatch.setattr(fresh, "FRESH_SECONDS", 0.0)
    assert (await client.get(path(JSON[2], made))).json()["name"] == "Another"
    shown = await app.api.state.event_board.show_event(UUID(str(made.event_id)))
    assert shown.view.event.name == "Another"
