"""Tickets that are given away go the way of all tickets: held at the desk, ordered, paid at once, issued."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from harness.charges import SERVICE, declare
from harness.sale import make_sale
from harness.shop import Shop, holder, open_app
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool


@pytest.fixture(scope="module")
async def client(
    pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    async with open_app(pool, valkey, tmp_path_factory.mktemp("parts")) as opened:
        yield opened


@pytest.fixture
async def shop(pool: Pool, client: httpx.AsyncClient) -> Shop:
    return Shop(await make_sale(pool, capacity=4), client)


async def give(shop: Shop, quantity: int = 2, role: str = "box_office", **headers: str) -> httpx.Response:
    body: dict[str, Any] = {
        "items": [{"ticket_type_id": str(shop.sale.made.types["adult"]), "quantity": quantity}],
        "email": "ana.souza@example.com",
        "name": "Ana Souza",
        "reason": "Press",
    }
    path = f"/sessions/{shop.sale.made.session_id}/complimentary-orders"
    return await shop.client.post(path, json=body, headers=await shop.member(role) | headers)


async def test_a_gift_is_paid_at_once_and_says_why(shop: Shop) -> None:
    await declare(shop.sale.pool, shop.sale.made.organization_id, SERVICE)
    answer = await give(shop)
    assert answer.status_code == 201, answer.text
    order = answer.json()
    assert (order["status"], order["total_minor"], order["reason"]) == ("paid", 0, "Press")
    assert [(line["kind"], line["description"], line["total_minor"]) for line in order["lines"]] == [
        ("ticket", "adult, Standing", 5000),
        ("discount", "Press", -5000),
    ]
    assert await shop.sale.stock() == (4, 0, 2, 0)
    assert await shop.sale.live_units(UUID(order["id"])) == 2
    assert await shop.sale.balances() == {}
    assert [message.type for message in await shop.sale.messages("order.placed", "order.paid")] == [
        "order.placed",
        "order.paid",
    ]
    shown = await shop.client.get(f"/orders/{order['id']}", headers=holder(order))
    assert (shown.json()["reason"], shown.json()["email"]) == ("Press", "ana.souza@example.com")
    acts = await shop.sale.pool.fetch(
        "SELECT action, thing_id, details FROM audit_entries WHERE organization_id = $1", shop.sale.made.organization_id
    )
    given = [(act["thing_id"], act["details"]) for act in acts if act["action"] == "order.give"]
    assert given == [(UUID(order["id"]), {"session_id": str(shop.sale.made.session_id), "quantity": 2})]


async def test_a_gift_draws_on_the_stock_like_anything(shop: Shop) -> None:
    refused = await give(shop, 5)
    assert (refused.status_code, refused.json()["code"]) == (409, "sold_out")
    assert await shop.sale.stock() == (4, 0, 0, 0)


async def test_a_repeated_gift_is_one(shop: Shop) -> None:
    first = await give(shop, 1, **{"Idempotency-Key": "gift-1"})
    again = await give(shop, 1, **{"Idempotency-Key": "gift-1"})
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await shop.sale.stock() == (4, 0, 1, 0)


async def test_what_is_hidden_and_limited_for_buyers_can_be_given_away(shop: Shop) -> None:
    pool, made = shop.sale.pool, shop.sale.made
    await pool.execute("UPDATE ticket_types SET hidden = true WHERE session_id = $1", made.session_id)
    await pool.execute("UPDATE events SET per_buyer_max = 1 WHERE event_id = $1", made.event_id)
    assert (await give(shop, 2)).status_code == 201


async def test_scanners_and_strangers_give_nothing_away(shop: Shop, pool: Pool) -> None:
    assert (await give(shop, role="scanner")).status_code == 403
    other = await make_sale(pool)
    shop.sale.made.organization_id, own = other.made.organization_id, shop.sale.made.organization_id
    assert (await give(shop)).status_code == 404
    shop.sale.made.organization_id = own
    assert await shop.sale.stock() == (4, 0, 0, 0)
