"""Reservations over HTTP: the contract's shapes, refusals, secrets and what Valkey remembers."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from harness.stock import MadeSession, counters, make_seated_session, make_session, rectangle
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool

API = "/api/v1/reservations"


def _body(made: MadeSession, **item: object) -> dict[str, Any]:
    item.setdefault("quantity", 2) if not item.keys() & {"seats", "best_available"} else None
    return {"session_id": str(made.session_id), "items": [{"ticket_type_id": str(made.types["adult"]), **item}]}


def _secret(placed: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Reservation {placed['token']}"}


async def _until_kept(valkey: Valkey, name: str) -> bytes:
    async with asyncio.timeout(10):
        while True:
            kept = await valkey.get(name)
            if kept is not None:
                return kept
            await asyncio.sleep(0.01)


async def test_hold_look_extend_and_give_back(pool: Pool, client: httpx.AsyncClient) -> None:
    made = await make_session(pool, capacity=5)
    answer = await client.post(API, json=_body(made))
    assert answer.status_code == 201
    placed = answer.json()
    assert placed["status"] == "held"
    assert placed["total_minor"] == 2000
    assert placed["items"][0]["quantity"] == 2
    path = f"{API}/{placed['id']}"
    seen = (await client.get(path, headers=_secret(placed))).json()
    assert seen == {key: value for key, value in placed.items() if key != "token"}
    longer = (await client.post(f"{path}/extend", headers=_secret(placed))).json()
    assert longer["expires_at"] > placed["expires_at"]
    for _ in range(2):
        assert (await client.delete(path, headers=_secret(placed))).status_code == 204
    assert (await client.get(path, headers=_secret(placed))).json()["status"] == "released"
    late = await client.post(f"{path}/extend", headers=_secret(placed))
    assert (late.status_code, late.json()["code"]) == (409, "reservation_expired")
    assert late.json()["reservation_status"] == "released"
    assert await counters(pool, made) == (5, 0, 0, 0)


async def test_without_the_right_secret_there_is_nothing(pool: Pool, client: httpx.AsyncClient) -> None:
    made = await make_session(pool)
    first = (await client.post(API, json=_body(made))).json()
    second = (await client.post(API, json=_body(made))).json()
    path = f"{API}/{first['id']}"
    assert (await client.get(path)).status_code == 401
    for method, suffix in (("GET", ""), ("DELETE", ""), ("POST", "/extend")):
        answer = await client.request(method, path + suffix, headers=_secret(second))
        assert (answer.status_code, answer.json()["code"]) == (404, "reservation_not_found")
    assert await counters(pool, made) == (100, 4, 0, 0)


async def test_refusals_carry_what_a_client_needs_to_go_on(pool: Pool, client: httpx.AsyncClient) -> None:
    made = await make_seated_session(pool, rectangle(1, 3), per_order_max=3)
    assert (await client.post(API, json=_body(made, seats=["1-1"]))).status_code == 201
    taken = await client.post(API, json=_body(made, seats=["1-1", "1-2"]))
    assert (taken.status_code, taken.json()["code"], taken.json()["seats"]) == (409, "seat_taken", ["1-1"])
    short = await client.post(API, json=_body(made, best_available=3))
    assert (short.status_code, short.json()["code"], short.json()["available"]) == (409, "sold_out", 2)
    limit = await client.post(API, json=_body(made, best_available=4))
    assert (limit.status_code, limit.json()["code"], limit.json()["limit"]) == (409, "limit_per_order", 3)
    strange = await client.post(API, json=_body(made, seats=["Z-99"]))
    assert (strange.status_code, strange.json()["errors"][0]["field"]) == (422, "items[0].seats[0]")
    lost = await client.post(API, json={**_body(made, seats=["1-2"]), "session_id": str(made.event_id)})
    assert (lost.status_code, lost.json()["code"]) == (404, "session_not_found")


@pytest.mark.parametrize(
    "item",
    [
        {"quantity": 0},
        {"quantity": -1},
        {"quantity": 10**30},
        {"quantity": 1.5},
        {"quantity": True},
        {"quantity": 1, "seats": ["1-1"]},
        {"seats": []},
        {"best_available": {"count": 2, "accessible": 3}},
        {"best_available": {"count": 2, "companions": 1}},
        {"quantity": 1, "colour": "red"},
        {"area": "pit", "seats": ["1-1"]},
        {"seats": ["\x00"]},
    ],
)
async def test_what_makes_no_sense_is_refused_and_takes_nothing(
    pool: Pool, client: httpx.AsyncClient, item: dict[str, Any]
) -> None:
    made = await make_session(pool)
    body = {"session_id": str(made.session_id), "items": [{"ticket_type_id": str(made.types["adult"]), **item}]}
    answer = await client.post(API, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"]
    assert await counters(pool, made) == (100, 0, 0, 0)


async def test_a_repeated_key_replays_success_and_refusal(pool: Pool, client: httpx.AsyncClient) -> None:
    made = await make_session(pool, capacity=2)
    key = {"Idempotency-Key": "first"}
    first = await client.post(API, json=_body(made), headers=key)
    again = await client.post(API, json=_body(made), headers=key)
    assert first.json() == again.json()
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await client.post(API, json=_body(made, quantity=1), headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    lost = {"Idempotency-Key": "second"}
    refused = await client.post(API, json=_body(made), headers=lost)
    await client.delete(f"{API}/{first.json()['id']}", headers=_secret(first.json()))
    repeated = await client.post(API, json=_body(made), headers=lost)
    assert (refused.status_code, repeated.status_code) == (409, 409)
    assert repeated.headers["Idempotency-Replayed"] == "true"
    assert repeated.json()["code"] == "sold_out"
    assert await counters(pool, made) == (2, 0, 0, 0)


async def test_valkey_remembers_until_the_hold_ends_and_a_flush_costs_nothing(
    pool: Pool, client: httpx.AsyncClient, valkey: Valkey
) -> None:
    made = await make_session(pool, capacity=10)
    placed = (await client.post(API, json=_body(made))).json()
    available = f"{{session:{made.session_id}}}:available"
    copy = f"{{session:{made.session_id}}}:reservation:{placed['id']}"
    assert await valkey.get(copy) is None, "nobody has looked at it"
    assert (await client.get(f"{API}/{placed['id']}", headers=_secret(placed))).status_code == 200
    assert json.loads(await _until_kept(valkey, copy))["quantity"] == 2
    assert 0 < await valkey.ttl(copy) <= 900
    assert (await client.get(f"/api/v1/sessions/{made.session_id}/availability")).status_code == 200
    assert b'"available":8' in (await _until_kept(valkey, available)).replace(b": ", b":")
    assert 0 < await valkey.ttl(available) <= 3600
    await valkey.flushdb()
    assert (await client.get(f"{API}/{placed['id']}", headers=_secret(placed))).status_code == 200
    assert json.loads(await _until_kept(valkey, copy))["status"] == "held"
    assert (await client.get(f"/api/v1/sessions/{made.session_id}/availability")).status_code == 200
    await valkey.delete(available)
    second = (await client.post(API, json=_body(made))).json()
    # Since somebody has looked of late, it is made anew beside the sale.
    await _until_kept(valkey, available)
    await client.delete(f"{API}/{placed['id']}", headers=_secret(placed))
    assert await valkey.get(copy) is None
    assert second["status"] == "held"
    assert await counters(pool, made) == (10, 2, 0, 0)
