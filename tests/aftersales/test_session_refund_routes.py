"""Refunds of sessions over HTTP, and as a command."""

from collections.abc import AsyncIterator

import httpx
import pytest
from harness.sale import make_sale
from harness.shop import Shop, open_app
from valkey.asyncio import Valkey

from fullhouse.aftersales.work_session_refunds import work_session_refunds
from fullhouse.infra import system
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection


@pytest.fixture(scope="module")
async def client(
    pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    async with open_app(pool, valkey, tmp_path_factory.mktemp("parts")) as opened:
        yield opened


@pytest.fixture
async def shop(pool: Pool, client: httpx.AsyncClient) -> Shop:
    return Shop(await make_sale(pool), client)


async def test_a_cancelled_session_is_refunded_and_followed(shop: Shop, pool: Pool) -> None:
    await shop.paid(2)
    await shop.paid(1)
    manager, path = await shop.member("manager"), f"/sessions/{shop.sale.made.session_id}"
    early = await shop.client.post(f"{path}/refunds", json={}, headers=manager)
    assert (early.status_code, early.json()["code"]) == (409, "session_stands")
    assert (await shop.client.post(f"{path}/cancel", headers=manager)).status_code == 200
    first = await shop.client.post(f"{path}/refunds", json={}, headers=manager | {"Idempotency-Key": "s1"})
    assert first.status_code == 201, first.text
    assert (first.json()["order_count"], first.json()["orders"]) == (2, {"waiting": 2, "done": 0, "failed": 0})
    again = await shop.client.post(f"{path}/refunds", json={}, headers=manager)
    assert again.json()["id"] == first.json()["id"]
    while await work_session_refunds(pool, system.make_id):
        pass
    await shop.sale.work()
    [shown] = (await shop.client.get(f"{path}/refunds", headers=await shop.member("box_office"))).json()["items"]
    assert (shown["reason"], shown["amount_minor"]) == ("session_cancelled", 7500)
    assert shown["orders"] == {"waiting": 0, "done": 2, "failed": 0}
    assert shown["refunds"] == {"requested": 0, "succeeded": 2, "failed": 0}
    assert shown["ended_at"] is not None
    failures = await shop.client.get(f"{path}/refunds/failures", headers=manager)
    assert failures.json() == {"items": [], "next_cursor": None}
    retried = await shop.client.post(f"{path}/refunds/retry", headers=manager)
    assert retried.json() == {"order_count": 0, "refund_count": 0}
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        details = await conn.fetchval(
            "SELECT details FROM audit_entries WHERE organization_id = $1 AND action = 'session.refund'",
            shop.sale.made.organization_id,
        )
    assert details == {"order_count": 2, "amount_minor": 7500, "currency": "EUR", "stock_returned": False}


async def test_nothing_is_retried_where_nothing_was_asked(shop: Shop) -> None:
    path = f"/sessions/{shop.sale.made.session_id}/refunds"
    manager = await shop.member("manager")
    assert (await shop.client.get(path, headers=manager)).json() == {"items": []}
    answer = await shop.client.post(f"{path}/retry", headers=manager)
    assert (answer.status_code, answer.json()["code"]) == (404, "session_refund_not_found")
