"""POST /orders/{id}/refunds: who may, what it answers, and that a key refunds once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
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
    return Shop(await make_sale(pool), client)


def path(order: dict[str, Any]) -> str:
    return f"/orders/{order['id']}/refunds"


async def test_the_whole_order_goes_back(shop: Shop) -> None:
    order = await shop.paid(2)
    answer = await shop.client.post(path(order), json={}, headers=await shop.member("manager"))
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["order_status"], body["amount_minor"], len(body["unit_ids"])) == ("refunded", 5000, 2)
    assert [one["status"] for one in body["refunds"]] == ["requested"]
    await shop.sale.work()
    shown = (await shop.client.get(f"/orders/{order['id']}/payments", headers=holder(order))).json()
    assert [(one["status"], one["amount_minor"]) for one in shown["refunds"]] == [("succeeded", 5000)]
    assert await shop.sale.stock() == (10, 0, 0, 0)
    again = await shop.client.post(path(order), json={}, headers=await shop.member("manager"))
    assert (again.status_code, again.json()["code"]) == (409, "order_not_refundable")


async def test_lines_and_amounts_go_back(shop: Shop) -> None:
    order, manager = await shop.paid(3), await shop.member("manager")
    body = {"lines": [{"line_number": 1, "quantity": 1}], "reason": "A mistake at the box office"}
    one = (await shop.client.post(path(order), json=body, headers=manager)).json()
    assert (one["order_status"], one["amount_minor"]) == ("paid", 2500)
    assert one["refunds"][0]["reason"] == "A mistake at the box office"
    some = (await shop.client.post(path(order), json={"amount_minor": 100}, headers=manager)).json()
    assert (some["order_status"], some["unit_ids"]) == ("paid", [])
    much = await shop.client.post(path(order), json={"amount_minor": 4901}, headers=manager)
    assert (much.status_code, much.json()["code"], much.json()["refundable_minor"]) == (409, "refund_too_large", 4900)
    assert await shop.sale.stock() == (10, 0, 2, 0)


async def test_above_the_limit_a_refund_needs_an_owner(shop: Shop, pool: Pool) -> None:
    order, manager = await shop.paid(2), await shop.member("manager")
    await pool.execute(
        "UPDATE organizations SET refund_limit_minor = 3000 WHERE organization_id = $1", shop.sale.made.organization_id
    )
    whole = await shop.client.post(path(order), json={}, headers=manager)
    assert (whole.status_code, whole.json()["code"]) == (403, "refund_above_limit")
    assert await shop.sale.stock() == (10, 0, 2, 0)
    # Parts of one order add up.
    parts = [{"amount_minor": 2000}, {"amount_minor": 1001}, {"amount_minor": 1000}]
    answers = [(await shop.client.post(path(order), json=part, headers=manager)).status_code for part in parts]
    assert answers == [201, 403, 201]
    rest = await shop.client.post(path(order), json={}, headers=await shop.member("owner"))
    assert (rest.status_code, rest.json()["amount_minor"]) == (201, 2000)


async def test_a_key_refunds_once(shop: Shop) -> None:
    order = await shop.paid(2)
    headers = await shop.member("manager") | {"Idempotency-Key": "r1"}
    answers = await asyncio.gather(
        *(shop.client.post(path(order), json={"amount_minor": 700}, headers=headers) for _ in range(6))
    )
    won = [one.json() for one in answers if one.status_code == 201]
    assert all(one == won[0] for one in won)
    last = await shop.client.post(path(order), json={"amount_minor": 700}, headers=headers)
    assert (last.json(), last.headers["Idempotency-Replayed"]) == (won[0], "true")
    assert [refund.amount_minor for refund in await shop.sale.refunds(UUID(order["id"]))] == [700]


async def test_who_may_refund(shop: Shop) -> None:
    order = await shop.paid(2)
    stranger = await make_sale(shop.sale.pool)
    assert (await shop.client.post(path(order), json={})).status_code == 401
    assert (await shop.client.post(path(order), json={}, headers=holder(order))).status_code == 401
    for role in ("scanner", "box_office"):
        assert (await shop.client.post(path(order), json={}, headers=await shop.member(role))).status_code == 403
    foreign = await shop.member("owner", stranger)
    assert (await shop.client.post(path(order), json={}, headers=foreign)).status_code == 404
    missing = {"id": str(uuid4())}
    assert (await shop.client.post(path(missing), json={}, headers=await shop.member("owner"))).status_code == 404
    assert await shop.sale.refunds(UUID(order["id"])) == ()
    assert await shop.sale.stock() == (10, 0, 2, 0)


@pytest.mark.parametrize(
    "body",
    [
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"amount_minor": 10**12},
        {"amount_minor": 1.5},
        {"unit_ids": []},
        {"unit_ids": ["x"]},
        {"unit_ids": ["01900000-0000-7000-8000-000000000000"]},
        {"lines": [{"line_number": 9}]},
        {"lines": [{"line_number": 1}, {"line_number": 1}]},
        {"lines": [{"line_number": 1, "quantity": 0}]},
        {"lines": [{"line_number": 1, "quantity": 3}]},
        {"return_stock": "yes"},
        {"reason": ""},
        {"all": True},
        [],
    ],
)
async def test_bad_bodies_refund_nothing(shop: Shop, body: Any) -> None:
    order = await shop.paid(2)
    answer = await shop.client.post(path(order), json=body, headers=await shop.member("manager"))
    assert answer.status_code == 422, answer.text
    assert await shop.sale.refunds(UUID(order["id"])) == ()
    assert await shop.sale.live_units(UUID(order["id"])) == 2
