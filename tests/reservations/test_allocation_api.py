"""Over HTTP: who sells what an allocation keeps from the public, and that it becomes an order like any other."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from harness.charges import new_code
from harness.sale import make_sale
from harness.shop import Shop, open_app, reservation
from harness.stock import counters
from valkey.asyncio import Valkey

from fullhouse.core.secrets import hash_secret
from fullhouse.infra.postgres import Pool
from fullhouse.pricing.codes import CodeTerms


@pytest.fixture(scope="module")
async def served(
    pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    async with open_app(pool, valkey, tmp_path_factory.mktemp("parts")) as client:
        yield client


@pytest.fixture
async def shop(pool: Pool, served: httpx.AsyncClient) -> Shop:
    return Shop(await make_sale(pool, capacity=10), served)


async def block(shop: Shop, quantity: int, **body: Any) -> tuple[str, dict[str, Any]]:
    """Block as the box office, and return the allocation's path and what was answered."""
    path = f"/sessions/{shop.sale.made.session_id}/allocations"
    body = {"name": "Promoter", "quantities": {"standing": quantity}, **body}
    answer = await shop.client.post(path, json=body, headers=await shop.member("box_office"))
    assert answer.status_code == 201, answer.text
    return f"{path}/{answer.json()['id']}", answer.json()


def wish(shop: Shop, quantity: int = 2) -> dict[str, Any]:
    return {"items": [{"ticket_type_id": str(shop.sale.made.types["adult"]), "quantity": quantity}]}


async def test_what_the_public_cannot_have_becomes_a_paid_order(shop: Shop) -> None:
    path, _ = await block(shop, 10)
    session_id = str(shop.sale.made.session_id)
    refused = await shop.client.post("/reservations", json={"session_id": session_id, **wish(shop)})
    assert (refused.status_code, refused.json()["code"]) == (409, "sold_out")
    held = (
        await shop.client.post(f"{path}/reservations", json=wish(shop), headers=await shop.member("box_office"))
    ).json()
    assert (held["session_id"], held["status"], held["total_minor"]) == (session_id, "held", 5000)
    order = await shop.client.post(
        "/orders", json={"reservation_id": held["id"], "email": "ana.souza@example.com"}, headers=reservation(held)
    )
    assert (await shop.pay(order.json())).status_code == 201
    await shop.sale.work()
    assert (await shop.sale.show(UUID(order.json()["id"]))).status == "paid"
    assert await counters(shop.sale.pool, shop.sale.made) == (10, 0, 2, 8)
    assert await shop.sale.pool.fetchval(
        "SELECT quota_counts FROM allocations WHERE session_id = $1::uuid", session_id
    ) == [8]


async def test_a_code_makes_what_an_allocation_keeps_cheaper_and_its_order_uses_it(shop: Shop) -> None:
    code = await new_code(shop.sale.pool, shop.sale.made.organization_id, CodeTerms("TEN", rate=100_000))
    path, _ = await block(shop, 10)
    seller = await shop.member("box_office")
    unknown = await shop.client.post(f"{path}/reservations", json=wish(shop) | {"code": "ELEVEN"}, headers=seller)
    assert (unknown.status_code, unknown.json()["code"]) == (409, "code_not_valid")
    assert await counters(shop.sale.pool, shop.sale.made) == (10, 0, 0, 10)
    answer = await shop.client.post(f"{path}/reservations", json=wish(shop) | {"code": "ten"}, headers=seller)
    held = answer.json()
    assert (answer.status_code, held["total_minor"]) == (201, 4500)
    body = {"reservation_id": held["id"], "email": "ana.souza@example.com"}
    order = await shop.client.post("/orders", json=body, headers=reservation(held))
    assert order.json()["total_minor"] == 4500
    uses = await shop.sale.pool.fetch("SELECT order_id FROM code_uses WHERE code_id = $1", code.code_id)
    assert [row["order_id"] for row in uses] == [UUID(order.json()["id"])]


async def test_its_key_is_shown_once_and_opens_it_alone(shop: Shop) -> None:
    path, made = await block(shop, 4, with_key=True)
    other_path, other = await block(shop, 4, with_key=True)
    bare_path, bare = await block(shop, 2)
    assert (len(made["key"]), bare["key"]) == (22, None)
    assert made["key"] != other["key"]
    listed = await shop.client.get(path.rpartition("/")[0], headers=await shop.member("box_office"))
    assert [sorted(one) for one in listed.json()["items"]] == [sorted(bare.keys() - {"key"})] * 3
    stored = "SELECT key_hash FROM allocations WHERE allocation_id = $1::uuid"
    assert await shop.sale.pool.fetchval(stored, made["id"]) == hash_secret(made["key"])
    key = {"Authorization": f"Allocation {made['key']}"}
    assert (await shop.client.post(f"{path}/reservations", json=wish(shop), headers=key)).status_code == 201
    for closed in (other_path, bare_path):
        refused = await shop.client.post(f"{closed}/reservations", json=wish(shop), headers=key)
        assert (refused.status_code, refused.json()["code"]) == (404, "allocation_not_found")
    blocks = await shop.client.post(
        path.rpartition("/")[0], json={"name": "A", "quantities": {"standing": 1}}, headers=key
    )
    assert blocks.status_code == 401
    assert await counters(shop.sale.pool, shop.sale.made) == (10, 2, 0, 8)
    await shop.client.delete(path, headers=await shop.member("box_office"))
    assert (await shop.client.post(f"{path}/reservations", json=wish(shop), headers=key)).status_code == 404


async def test_others_find_no_allocation_and_reserve_nothing(shop: Shop, pool: Pool) -> None:
    path, _ = await block(shop, 4, with_key=True)
    foreign = Shop(await make_sale(pool), shop.client)
    for headers, status in (
        ({}, 401),
        (await shop.member("scanner"), 403),
        (await foreign.member("owner"), 404),
        ({"Authorization": f"Allocation {'A' * 22}"}, 404),
        ({"Authorization": f"Order {'A' * 22}"}, 401),
    ):
        refused = await shop.client.post(f"{path}/reservations", json=wish(shop), headers=headers)
        assert refused.status_code == status, headers
    assert await counters(pool, shop.sale.made) == (10, 0, 0, 4)


async def test_a_repeated_request_reserves_once(shop: Shop) -> None:
    path, made = await block(shop, 4, with_key=True)
    headers = {"Authorization": f"Allocation {made['key']}", "Idempotency-Key": "once"}
    first, again = [await shop.client.post(f"{path}/reservations", json=wish(shop), headers=headers) for _ in range(2)]
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await counters(shop.sale.pool, shop.sale.made) == (10, 2, 0, 2)
