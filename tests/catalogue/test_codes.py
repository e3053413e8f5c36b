"""Codes over HTTP: made and changed by managers, shown to buyers, with a budget on guesses."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from harness.catalogue import API, Organizer
from harness.web import Seller, client_of, make_resources, make_seller, running_app
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool
from fullhouse.web.edge import Edge

TEN: dict[str, Any] = {"code": "ten-off", "percent": "10", "note": "for the newsletter", "uses_max": 5}


async def make(manager: httpx.AsyncClient, seller: Seller, **changes: Any) -> dict[str, Any]:
    answer = await manager.post(f"{API}/organizations/{seller.organization_id}/codes", json={**TEN, **changes})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_code_is_made_listed_changed_and_disabled(manager: httpx.AsyncClient, seller: Seller) -> None:
    path = f"{API}/organizations/{seller.organization_id}/codes"
    code = await make(manager, seller)
    assert (code["code"], code["percent"], code["use_count"], code["enabled"]) == ("TEN-OFF", "10", 0, True)
    twice = await manager.post(path, json=TEN)
    assert (twice.status_code, twice.json()["code"]) == (409, "code_exists")
    other = await make(manager, seller, code="OTHER")
    listed = (await manager.get(path)).json()["items"]
    assert [one["id"] for one in listed] == [other["id"], code["id"]]
    changed = await manager.put(f"{path}/{code['id']}", json={**TEN, "enabled": False})
    assert (changed.status_code, changed.json()["enabled"]) == (200, False)
    assert (await manager.get(f"{path}/{code['id']}")).json() == changed.json()
    assert (await manager.get(f"{path}/{uuid4()}")).json()["code"] == "code_not_found"
    taken = await manager.put(f"{path}/{code['id']}", json={**TEN, "code": "OTHER"})
    assert (taken.status_code, taken.json()["code"]) == (409, "code_exists")


@pytest.mark.parametrize(
    "changes",
    [
        {"percent": "0"},
        {"amount_minor": 100},
        {"percent": "0", "amount_minor": 100},
        {"valid_from": "2031-01-02T00:00:00Z", "valid_until": "2031-01-01T00:00:00Z"},
        {"code": "a b"},
        {"event_id": str(uuid4())},
        {"session_ids": [str(uuid4())]},
        {"ticket_type_ids": [str(uuid4())]},
    ],
)
async def test_a_code_that_makes_no_sense_is_refused(
    manager: httpx.AsyncClient, seller: Seller, changes: dict[str, Any]
) -> None:
    path = f"{API}/organizations/{seller.organization_id}/codes"
    assert (await manager.post(path, json={**TEN, **changes})).status_code == 422
    assert (await manager.get(path)).json()["items"] == []


async def test_a_hidden_ticket_type_is_shown_with_its_code_alone(
    organizer: Organizer, manager: httpx.AsyncClient, anyone: httpx.AsyncClient, seller: Seller
) -> None:
    session = await organizer.on_sale()
    (kind,) = session["ticket_types"]
    changed = await organizer.change(session, ticket_types=[{"id": kind["id"], "hidden": True}])
    assert changed.json()["ticket_types"][0]["hidden"] is True
    path = f"{API}/sessions/{session['id']}"
    event = (await anyone.get(f"{API}/events/{session['event_id']}")).json()
    left = (await anyone.get(f"{path}/availability")).json()
    assert ((await anyone.get(path)).json()["ticket_types"], left["ticket_types"]) == ([], [])
    assert (event["sessions"][0]["ticket_types"], event["sessions"][0]["available"]) == ([], 0)
    assert len((await manager.get(path)).json()["ticket_types"]) == 1

    code = await make(manager, seller, ticket_type_ids=[kind["id"]])
    shown = await anyone.post(f"{path}/code", json={"code": "Ten-Off"})
    assert shown.status_code == 200, shown.text
    assert [(one["id"], one["price_minor"], one["total_minor"]) for one in shown.json()["ticket_types"]] == [
        (kind["id"], 2500, 2250)
    ]
    wish = {"session_id": session["id"], "items": [{"ticket_type_id": kind["id"], "quantity": 2}]}
    refused = await anyone.post(f"{API}/reservations", json=wish)
    assert (refused.status_code, refused.json()["code"]) == (422, "not_sold_here")
    held = (await anyone.post(f"{API}/reservations", json={**wish, "code": "ten-off"})).json()
    assert held["total_minor"] == 4500
    order = await anyone.post(
        f"{API}/orders",
        json={"reservation_id": held["id"], "email": "ana.souza@example.com"},
        headers={"Authorization": f"Reservation {held['token']}"},
    )
    assert (order.status_code, order.json()["total_minor"]) == (201, 4500)
    of_code = f"{API}/organizations/{seller.organization_id}/codes/{code['id']}"
    assert (await manager.get(of_code)).json()["use_count"] == 1
    uses = (await manager.get(f"{of_code}/uses")).json()["items"]
    assert [(one["order_id"], one["returned_at"]) for one in uses] == [(order.json()["id"], None)]


async def test_the_short_form_takes_a_code(
    organizer: Organizer, manager: httpx.AsyncClient, anyone: httpx.AsyncClient, seller: Seller
) -> None:
    session = await organizer.on_sale()
    await make(manager, seller, uses_max=1)
    body = {"session_id": session["id"], "quantity": 2, "email": "ana.souza@example.com", "code": "ten-off"}
    first = await anyone.post(f"{API}/orders", json=body, headers={"Idempotency-Key": "short"})
    assert (first.status_code, first.json()["total_minor"]) == (201, 4500)
    again = await anyone.post(f"{API}/orders", json=body, headers={"Idempotency-Key": "short"})
    assert again.json() == first.json()
    refused = await anyone.post(f"{API}/orders", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "code_not_valid")


async def test_a_code_of_another_organization_does_nothing(
    organizer: Organizer, app: Edge, anyone: httpx.AsyncClient, pool: Pool
) -> None:
    session = await organizer.on_sale()
    stranger = await make_seller(pool)
    async with client_of(app, **stranger.bearer("manager")) as other:
        await make(other, stranger)
    answers = [
        await anyone.post(f"{API}/sessions/{session['id']}/code", json={"code": text}) for text in ("TEN-OFF", "X")
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(409, "code_not_valid")] * 2


async def test_guesses_have_one_budget_wherever_they_are_tried(
    organizer: Organizer, pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> None:
    session = await organizer.on_sale()
    wish = {"session_id": session["id"], "items": [{"ticket_type_id": session["ticket_types"][0]["id"], "quantity": 1}]}
    resources = make_resources(pool, valkey, tmp_path_factory.mktemp("limited"))
    order = {"session_id": session["id"], "quantity": 1, "email": "ana.souza@example.com"}
    tries = [
        (f"/sessions/{session['id']}/code", {"code": "GUESS-1"}),
        ("/reservations", {**wish, "code": "GUESS-2"}),
        ("/orders", {**order, "code": "GUESS-3"}),
    ]
    async with running_app(resources, rate_limits=True, rate_limits_by_address="code=3/60") as limited:
        async with client_of(limited, "203.0.113.7") as guesser:
            statuses = [(await guesser.post(f"{API}{path}", json=body)).status_code for path, body in tries * 2]
            assert statuses == [409] * 3 + [429] * 3
            assert (await guesser.post(f"{API}/reservations", json=wish)).status_code == 201
        async with client_of(limited, "203.0.113.8") as another:
            assert (await another.post(f"{API}{tries[0][0]}", json=tries[0][1])).status_code == 409
