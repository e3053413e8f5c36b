"""Allocations: stock kept from the public for a reason, and given back."""

import asyncio
from uuid import uuid4

import httpx
import pytest
from harness.catalogue import API, Organizer, made, quota
from harness.stock import rectangle
from harness.web import Seller, client_of

from fullhouse.core.json import Json
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.seating.publish_seat_map import publish_seat_map
from fullhouse.web.edge import Edge


async def test_box_office_blocks_and_gives_back(
    organizer: Organizer, anyone: httpx.AsyncClient, app: Edge, seller: Seller
) -> None:
    session = await organizer.on_sale()
    path = f"{API}/sessions/{session['id']}/allocations"
    body: dict[str, Json] = {"name": "Promotor", "reason": "Contrato", "quantities": {"ticket-type-1": 90}}
    async with client_of(app, **seller.bearer("box_office")) as box_office:
        blocked = await made(await box_office.post(path, json={**body, "release_at": "2031-07-01T10:00:00+02:00"}))
        assert (blocked["name"], blocked["reason"], blocked["seats"]) == ("Promotor", "Contrato", [])
        assert blocked["quantities"] == {"ticket-type-1": 90}
        assert blocked["release_at"] == "2031-07-01T08:00:00Z"
        assert quota(await organizer.look(session), "ticket-type-1") == (100, 0, 0, 90)
        left = (await anyone.get(f"{API}/sessions/{session['id']}/availability")).json()
        assert left["ticket_types"][0]["available"] == 10
        refused = await box_office.post(path, json={**body, "quantities": {"ticket-type-1": 11}})
        assert (refused.status_code, refused.json()["code"]) == (409, "sold_out")
        assert blocked.pop("key") is None
        assert (await box_office.get(path)).json() == {"items": [blocked], "next_cursor": None}
        assert (await box_office.delete(f"{path}/{blocked['id']}")).status_code == 204
        again = await box_office.delete(f"{path}/{blocked['id']}")
        assert (again.status_code, again.json()["code"]) == (404, "allocation_not_found")
        assert (await box_office.get(path)).json()["items"] == []
    assert quota(await organizer.look(session), "ticket-type-1") == (100, 0, 0, 0)


async def test_seats_are_blocked_by_key_or_label(
    organizer: Organizer, anyone: httpx.AsyncClient, pool: Pool, seller: Seller
) -> None:
    async with transaction(pool, seller.organization_id) as conn:
        published = await publish_seat_map(conn, system.make_id, seller.organization_id, rectangle(2, 4))
    prices = [{"price_category": "stalls", "price_minor": 3000}]
    session = await organizer.on_sale(
        seat_map_id=str(published.seat_map_id), ticket_types=[{"name": "Adult", "prices": prices}]
    )
    path = f"{API}/sessions/{session['id']}/allocations"
    blocked = await made(await organizer.client.post(path, json={"name": "Casa", "seats": ["1-1", "Row 2, 4"]}))
    assert (blocked["seats"], blocked["quantities"]) == (["1-1", "2-4"], {})
    assert (await anyone.get(f"{API}/sessions/{session['id']}/availability")).json()["seats"] == "A8A="
    refused = await organizer.hold(session, seats=["1-1"])
    assert (refused.status_code, refused.json()["code"]) == (409, "seat_taken")
    refused = await organizer.client.post(path, json={"name": "Casa", "seats": ["1-2", "1-1"]})
    assert (refused.json()["code"], refused.json()["seats"]) == ("seat_taken", ["1-1"])
    assert (await organizer.hold(session, seats=["1-2"])).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Casa"},
        {"name": "", "quantities": {"ticket-type-1": 1}},
        {"name": "Casa", "quantities": {"ticket-type-1": 0}},
        {"name": "Casa", "quantities": {"ticket-type-1": -1}},
        {"name": "Casa", "quantities": {"ticket-type-1": 10**12}},
        {"name": "Casa", "quantities": {"ticket-type-1": "3"}},
        {"name": "Casa", "quantities": {"roof": 1}},
        {"name": "Casa", "seats": ["1-1"]},
        {"name": "Casa", "quantities": {"ticket-type-1": 1}, "release_at": "2031-07-01"},
        {"name": "Casa", "quantities": {"ticket-type-1": 1}, "key": "x"},
    ],
)
async def test_bad_allocations_are_refused_and_block_nothing(organizer: Organizer, body: dict[str, Json]) -> None:
    session = await organizer.on_sale()
    refused = await organizer.client.post(f"{API}/sessions/{session['id']}/allocations", json=body)
    assert refused.status_code == 422, refused.text
    assert quota(await organizer.look(session), "ticket-type-1") == (100, 0, 0, 0)


async def test_blocking_and_holding_at_once_never_passes_the_capacity(organizer: Organizer) -> None:
    session = await organizer.on_sale()
    path = f"{API}/sessions/{session['id']}/allocations"
    gate = asyncio.Barrier(40)

    async def block() -> int:
        await gate.wait()
        answer = await organizer.client.post(path, json={"name": "Casa", "quantities": {"ticket-type-1": 7}})
        return answer.status_code

    async def hold() -> int:
        await gate.wait()
        return (await organizer.hold(session, 5)).status_code

    answers = await asyncio.gather(*(block() for _ in range(20)), *(hold() for _ in range(20)))
    blocked, held = answers[:20].count(201) * 7, answers[20:].count(201) * 5
    assert quota(await organizer.look(session), "ticket-type-1") == (100, held, 0, blocked)
    assert 93 < held + blocked <= 100
    assert set(answers) <= {201, 409}


async def test_session_with_an_allocation_is_not_deleted(organizer: Organizer) -> None:
    session = await organizer.on_sale()
    path = f"{API}/sessions/{session['id']}/allocations"
    await made(await organizer.client.post(path, json={"name": "Casa", "quantities": {"ticket-type-1": 1}}))
    refused = await organizer.client.delete(f"{API}/events/{session['event_id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "stock_was_held")


async def test_repeated_key_blocks_once_and_pages_hold_all(organizer: Organizer) -> None:
    session = await organizer.on_sale()
    path = f"{API}/sessions/{session['id']}/allocations"
    key = {"Idempotency-Key": str(uuid4())}
    body = {"name": "Casa", "quantities": {"ticket-type-1": 3}}
    first, again = [await organizer.client.post(path, json=body, headers=key) for _ in range(2)]
    assert again.json() == first.json()
    second = await made(await organizer.client.post(path, json=body))
    assert second.pop("key") is None
    page = await made(await organizer.client.get(path, params={"limit": 1}), 200)
    assert page["items"] == [{name: value for name, value in first.json().items() if name != "key"}]
    rest = await made(await organizer.client.get(path, params={"limit": 1, "cursor": page["next_cursor"]}), 200)
    assert rest == {"items": [second], "next_cursor": None}
    assert quota(await organizer.look(session), "ticket-type-1") == (100, 0, 0, 6)
