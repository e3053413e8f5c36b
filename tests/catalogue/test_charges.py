"""Declaring fees and taxes over HTTP, and what buyers then read."""

from typing import Any

import httpx
import pytest
from harness.catalogue import API, Organizer
from harness.web import Seller

DECLARED: dict[str, Any] = {
    "currency": "EUR",
    "fees": [{"name": "Service fee", "per": "ticket", "payer": "buyer", "amount_minor": 100, "percent": "2"}],
    "taxes": [{"name": "VAT", "percent": "20", "on": "all"}],
}


@pytest.mark.parametrize("level", ["organizations", "events", "sessions"])
async def test_what_is_declared_is_shown_until_it_is_withdrawn(
    organizer: Organizer, manager: httpx.AsyncClient, seller: Seller, level: str
) -> None:
    session = await organizer.on_sale()
    ids = {"organizations": seller.organization_id, "events": session["event_id"], "sessions": session["id"]}
    path = f"{API}/{level}/{ids[level]}/charges"
    assert (await manager.get(path)).status_code == 404
    put = await manager.put(path, json=DECLARED)
    assert put.status_code == 200, put.text
    shown = (await manager.get(path)).json()
    assert shown == put.json()
    assert shown["fees"] == DECLARED["fees"]
    assert (shown["taxes"], shown["round_by"], shown["half"]) == (DECLARED["taxes"], "line", "even")
    again = (await manager.put(path, json=DECLARED)).json()
    assert again["id"] != shown["id"]
    assert (await manager.delete(path)).status_code == 204
    gone = await manager.get(path)
    assert (gone.status_code, gone.json()["code"]) == (404, "charges_not_found")
    assert (await manager.delete(path)).status_code == 404


async def test_buyers_read_one_amount_and_what_it_is_made_of(
    organizer: Organizer, manager: httpx.AsyncClient, anyone: httpx.AsyncClient
) -> None:
    session = await organizer.on_sale()
    before = (await anyone.get(f"{API}/sessions/{session['id']}/availability")).json()
    await manager.put(f"{API}/events/{session['event_id']}/charges", json=DECLARED)
    charges = [
        {"kind": "fee", "name": "Service fee", "percent": None, "amount_minor": 150, "included": False},
        {"kind": "tax", "name": "VAT", "percent": "20", "amount_minor": 442, "included": True},
    ]
    left = (await anyone.get(f"{API}/sessions/{session['id']}/availability")).json()
    assert left["version"] > before["version"]
    event = (await anyone.get(f"{API}/events/{session['event_id']}")).json()
    detail = (await anyone.get(f"{API}/sessions/{session['id']}")).json()
    for kind in (left["ticket_types"][0], event["sessions"][0]["ticket_types"][0], detail["ticket_types"][0]):
        assert (kind["price_minor"], kind["total_minor"]) == (2500, 2650)
        assert [(one["total_minor"], one["charges"]) for one in kind["prices"]] == [(2650, charges)]
    held = (await organizer.hold(session, 2)).json()
    assert (held["total_minor"], held["items"][0]["total_minor"]) == (5300, 5300)
    assert [(one["name"], one["amount_minor"]) for one in held["charges"]] == [("Service fee", 300), ("VAT", 883)]
    order = await anyone.post(
        f"{API}/orders",
        json={"reservation_id": held["id"], "email": "ana.souza@example.com"},
        headers={"Authorization": f"Reservation {held['token']}"},
    )
    assert (order.json()["total_minor"], order.json()["charges"]) == (5300, held["charges"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"currency": "EUR", "fees": [{"name": "A", "per": "ticket", "payer": "buyer"}]}, "fees.0"),
        ({"currency": "EUR", "taxes": [{"name": "A", "percent": "100.1"}]}, "taxes.0.percent"),
        ({"currency": "EUR", "taxes": [{"name": "A", "percent": "0"}]}, "taxes.0"),
        ({"currency": "EUR", "taxes": [{"name": "A", "percent": "5"}, {"name": "A", "percent": "6"}]}, "body"),
        ({**DECLARED, "currency": "USD"}, "currency"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_field(
    organizer: Organizer, manager: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    session = await organizer.on_sale()
    path = f"{API}/sessions/{session['id']}/charges"
    refused = await manager.put(path, json=body)
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == [field]
    assert (await manager.get(path)).status_code == 404
