"""The short form: one call makes a published event with one general-admission session."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from harness.web import Seller

from fullhouse.core.json import Json
from fullhouse.infra.postgres import Pool

API = "/api/v1"


def body_of(seller: Seller, **changes: Json) -> dict[str, Any]:
    body = {
        "organization_id": str(seller.organization_id),
        "name": "Festa da Cidade",
        "date": "2031-07-12T21:00:00Z",
        "location": "Jardim Central",
        "capacity": 500,
        "price_minor": 2500,
        "currency": "EUR",
    }
    return {**body, **changes}


async def test_short_form_makes_published_event_that_anyone_can_buy(
    manager: httpx.AsyncClient, anyone: httpx.AsyncClient, seller: Seller
) -> None:
    made = await manager.post(f"{API}/events", json=body_of(seller))
    assert made.status_code == 201, made.text
    shown = (await anyone.get(f"{API}/events/{made.json()['id']}")).json()
    assert shown == made.json()
    assert shown["status"] == "published"
    (session,) = shown["sessions"]
    assert session["starts_at"] == "2031-07-12T21:00:00Z"
    assert session["on_sale"] is True
    assert session["available"] == 500
    (ticket_type,) = session["ticket_types"]
    assert (ticket_type["name"], ticket_type["price_minor"]) == ("General admission", 2500)
    held = await anyone.post(
        f"{API}/reservations",
        json={"session_id": session["id"], "items": [{"ticket_type_id": ticket_type["id"], "quantity": 3}]},
    )
    assert held.status_code == 201, held.text
    assert held.json()["total_minor"] == 7500
    left = (await anyone.get(f"{API}/sessions/{session['id']}/availability")).json()
    assert left["ticket_types"][0]["available"] == 497


async def test_repeated_key_makes_one_event(manager: httpx.AsyncClient, seller: Seller, pool: Pool) -> None:
    body = body_of(seller)
    key = {"Idempotency-Key": str(uuid4())}
    answers = await asyncio.gather(*(manager.post(f"{API}/events", json=body, headers=key) for _ in range(8)))
    first = [answer for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in first}) == 1
    again = await manager.post(f"{API}/events", json=body, headers=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first[0].json()
    count = await pool.fetchval("SELECT count(*) FROM events WHERE organization_id = $1", seller.organization_id)
    assert count == 1
    other = await manager.post(f"{API}/events", json=body_of(seller, capacity=501), headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_date_may_be_wall_clock_of_a_time_zone(manager: httpx.AsyncClient, seller: Seller) -> None:
    body = body_of(seller, date="2031-07-12T21:00", time_zone="America/Sao_Paulo", currency="BRL")
    (session,) = (await manager.post(f"{API}/events", json=body)).json()["sessions"]
    assert session["starts_local"] == "2031-07-12T21:00:00"
    assert session["starts_at"] == "2031-07-13T00:00:00Z"


async def test_date_that_clocks_skip_is_refused(manager: httpx.AsyncClient, seller: Seller) -> None:
    body = body_of(seller, date="2031-03-30T01:30", time_zone="Europe/Lisbon")
    refused = await manager.post(f"{API}/events", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "nonexistent_local_time")
    assert refused.json()["errors"][0]["field"] == "date"


@pytest.mark.parametrize(
    ("date", "time_zone", "local"),
    [
        ("1970-01-01T00:00:00Z", "America/Sao_Paulo", "1969-12-31T21:00:00"),
        ("2199-12-31T23:00:00Z", "Asia/Tokyo", "2200-01-01T08:00:00"),
    ],
)
async def test_dates_at_the_edges_of_the_years_are_answered(
    manager: httpx.AsyncClient, seller: Seller, date: str, time_zone: str, local: str
) -> None:
    made = await manager.post(f"{API}/events", json=body_of(seller, date=date, time_zone=time_zone))
    assert made.status_code == 201, made.text
    assert made.json()["sessions"][0]["starts_at"] == date
    assert made.json()["sessions"][0]["starts_local"] == local


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("capacity", 0),
        ("capacity", -1),
        ("capacity", 10**30),
        ("capacity", "500"),
        ("capacity", 1.5),
        ("capacity", True),
        ("price_minor", -1),
        ("price_minor", 10**12),
        ("price_minor", 25.0),
        ("currency", "EURO"),
        ("currency", "XXX"),
        ("currency", "eur"),
        ("date", "2031-07-12"),
        ("date", "tomorrow"),
        ("date", 1941000000),
        ("date", "2031-02-30T10:00:00Z"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("time_zone", "localtime"),
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 201),
        ("name", "a\x00b"),
        ("location", "two\nlines"),
        ("surprise", 1),
    ],
)
async def test_bad_values_name_their_field_and_change_nothing(
    manager: httpx.AsyncClient, seller: Seller, pool: Pool, field: str, value: Json
) -> None:
    refused = await manager.post(f"{API}/events", json=body_of(seller, **{field: value}))
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["field"] == field
    count = await pool.fetchval("SELECT count(*) FROM events WHERE organization_id = $1", seller.organization_id)
    assert count == 0


async def test_other_organizations_are_not_found(manager: httpx.AsyncClient, seller: Seller) -> None:
    refused = await manager.post(f"{API}/events", json=body_of(seller, organization_id=str(UUID(int=7))))
    assert (refused.status_code, refused.json()["code"]) == (404, "organization_not_found")


@pytest.mark.parametrize("currency", ["JPY", "EUR", "KWD"])
async def test_money_is_in_minor_units_whatever_the_decimals(
    manager: httpx.AsyncClient, seller: Seller, currency: str
) -> None:
    made = await manager.post(f"{API}/events", json=body_of(seller, currency=currency, price_minor=1250))
    assert made.json()["currency"] == currency
    assert made.json()["sessions"][0]["ticket_types"][0]["price_minor"] == 1250
