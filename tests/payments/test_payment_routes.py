"""The routes of payments: who may call them, what they refuse, and that a key pays once."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from harness.sale import make_sale
from harness.shop import Shop, holder, open_app
from harness.stock import SERVER_KEY
from valkey.asyncio import Valkey

from fullhouse.core.secrets import derive_key
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool
from fullhouse.payments.providers.signature import SIGNATURE_HEADER, sign


@pytest.fixture(scope="module")
async def client(
    pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    async with open_app(pool, valkey, tmp_path_factory.mktemp("parts")) as opened:
        yield opened


@pytest.fixture
async def shop(pool: Pool, client: httpx.AsyncClient) -> Shop:
    return Shop(await make_sale(pool), client)


async def charges(shop: Shop) -> int:
    return await shop.sale.pool.fetchval(
        "SELECT count(*) FROM simulated_charges WHERE organization_id = $1", shop.sale.made.organization_id
    )


async def test_paying_leads_to_a_paid_order(shop: Shop) -> None:
    order = await shop.order()
    answer = await shop.pay(order)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["status"], body["amount_minor"], body["attempt"]) == ("started", 5000, 1)
    assert body["next_step"] == {"type": "wait"}
    await shop.sale.work()
    shown = (await shop.client.get(f"/orders/{order['id']}/payments", headers=holder(order))).json()
    assert [(one["status"], one["next_step"]) for one in shown["items"]] == [("succeeded", None)]
    assert shown["refunds"] == []
    assert (await shop.client.get(f"/orders/{order['id']}", headers=holder(order))).json()["status"] == "paid"
    again = await shop.pay(order)
    assert (again.status_code, again.json()["code"]) == (409, "order_already_paid")


async def test_the_notice_is_there_as_soon_as_the_payment_was_started(shop: Shop) -> None:
    order = await shop.order()
    await shop.pay(order)
    assert len(await shop.sale.messages("payment.notice_received")) == 1


async def test_a_declined_payment_says_why_and_may_be_tried_again(shop: Shop) -> None:
    order = await shop.order()
    await shop.pay(order, "decline")
    await shop.sale.work()
    shown = (await shop.client.get(f"/orders/{order['id']}/payments", headers=holder(order))).json()
    assert [(one["status"], one["reason"]) for one in shown["items"]] == [("declined", "card_declined")]
    assert (await shop.pay(order)).json()["attempt"] == 2
    await shop.sale.work()
    assert (await shop.sale.show(UUID(order["id"]))).status == "paid"


async def test_an_open_payment_is_named_to_who_starts_another(shop: Shop) -> None:
    order = await shop.order()
    first = (await shop.pay(order, "late")).json()
    second = await shop.pay(order)
    assert (second.status_code, second.json()["code"]) == (409, "payment_open")
    assert second.json()["payment_id"] == first["id"]
    assert second.json()["next_step"] == {"type": "wait"}


async def test_a_key_pays_once_whenever_it_is_repeated(shop: Shop) -> None:
    order = await shop.order()
    key = {"Idempotency-Key": "pay-1"}
    answers = await asyncio.gather(*(shop.pay(order, **key) for _ in range(8)))
    won = [one.json() for one in answers if one.status_code == 201]
    assert all(one == won[0] for one in won)
    assert {one.json()["code"] for one in answers if one.status_code != 201} <= {"idempotency_in_flight"}
    await shop.sale.work()
    later = await shop.pay(order, **key)
    assert (later.status_code, later.headers["Idempotency-Replayed"]) == (201, "true")
    assert later.json() == won[0]
    assert await charges(shop) == 1
    other = await shop.pay(order, "decline", **key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_only_the_holder_pays_and_only_the_holder_and_the_organization_look(shop: Shop) -> None:
    order, other = await shop.order(1), await shop.order(1)
    path = f"/orders/{order['id']}/payments"
    body = {"provider": "simulated"}
    assert (await shop.client.post(path, json=body)).status_code == 401
    assert (await shop.client.post(path, json=body, headers=holder(other))).status_code == 404
    assert (await shop.client.post(path, json=body, headers=await shop.member("owner"))).status_code == 401
    stranger = await make_sale(shop.sale.pool)
    assert (await shop.client.get(path)).status_code == 401
    assert (await shop.client.get(path, headers=holder(other))).status_code == 404
    assert (await shop.client.get(path, headers=await shop.member("owner", stranger))).status_code == 404
    assert (await shop.client.get(path, headers=await shop.member("scanner"))).status_code == 403
    assert (await shop.client.get(path, headers=await shop.member("box_office"))).status_code == 200
    missing = f"/orders/{uuid4()}/payments"
    assert (await shop.client.post(missing, json=body, headers=holder(order))).status_code == 404
    assert await charges(shop) == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"provider": "gold"}, 422),
        ({"provider": "../etc"}, 422),
        ({"provider": "simulated", "outcome": "explode"}, 422),
        ({"provider": "simulated", "amount_minor": 1}, 422),
        ([], 422),
        (None, 422),
    ],
)
async def test_bad_bodies_start_nothing(shop: Shop, body: Any, status: int) -> None:
    order = await shop.order()
    answer = await shop.client.post(f"/orders/{order['id']}/payments", json=body, headers=holder(order))
    assert answer.status_code == status, answer.text
    assert await charges(shop) == 0


async def test_cancelling_gives_everything_back_and_may_be_repeated(shop: Shop) -> None:
    order = await shop.order()
    await shop.pay(order, "late")
    path = f"/orders/{order['id']}/cancel"
    for _ in range(2):
        answer = await shop.client.post(path, headers=holder(order))
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert await shop.sale.stock() == (10, 0, 0, 0)
    refused = await shop.pay(order)
    assert (refused.status_code, refused.json()["code"]) == (409, "order_not_pending")
    assert refused.json()["order_status"] == "cancelled"


async def test_a_paid_order_is_not_cancelled(shop: Shop) -> None:
    order = await shop.paid()
    answer = await shop.client.post(f"/orders/{order['id']}/cancel", headers=holder(order))
    assert (answer.status_code, answer.json()["code"]) == (409, "order_already_paid")
    assert await shop.sale.stock() == (10, 0, 2, 0)


async def test_who_may_cancel(shop: Shop) -> None:
    order, other = await shop.order(1), await shop.order(1)
    path = f"/orders/{order['id']}/cancel"
    stranger = await make_sale(shop.sale.pool)
    assert (await shop.client.post(path)).status_code == 401
    assert (await shop.client.post(path, headers=holder(other))).status_code == 404
    assert (await shop.client.post(path, headers=await shop.member("owner", stranger))).status_code == 404
    assert (await shop.client.post(path, headers=await shop.member("scanner"))).status_code == 403
    assert await shop.sale.stock() == (10, 2, 0, 0)
    assert (await shop.client.post(path, headers=await shop.member("box_office"))).status_code == 200
    assert await shop.sale.stock() == (10, 1, 0, 0)


async def send(shop: Shop, raw: bytes, key: bytes, provider: str = "simulated") -> int:
    headers = {SIGNATURE_HEADER: sign(raw, system.now(), key), "Content-Type": "application/json"}
    answer = await shop.client.post(f"/payments/webhooks/{provider}", content=raw, headers=headers)
    return answer.status_code


async def test_notices_come_in_signed_and_not_otherwise(shop: Shop) -> None:
    order = await shop.order()
    payment = (await shop.pay(order, "late")).json()
    charge = {"reference": "r", "payment_id": payment["id"], "status": "captured", "amount_minor": 5000}
    raw = json.dumps({"id": "n1", "charge": charge}).encode()
    signing_key = derive_key(SERVER_KEY, "simulated provider")
    assert await send(shop, raw, b"guessed") == 400
    assert await send(shop, raw, signing_key, "gold") == 404
    await shop.sale.work()
    assert (await shop.sale.show(UUID(order["id"]))).status == "pending"
    assert [await send(shop, raw, signing_key) for _ in range(3)] == [200, 200, 200]
    await shop.sale.work()
    assert (await shop.sale.show(UUID(order["id"]))).status == "paid"
    assert await shop.sale.live_units(UUID(order["id"])) == 2


async def test_a_refund_that_failed_is_sent_again_by_who_may_refund(shop: Shop) -> None:
    order = await shop.paid()
    manager = await shop.member("manager")
    refund = (await shop.client.post(f"/orders/{order['id']}/refunds", json={}, headers=manager)).json()["refunds"][0]
    path = f"/refunds/{refund['id']}/retry"
    early = await shop.client.post(path, headers=manager)
    assert (early.status_code, early.json()["code"]) == (409, "refund_not_failed")
    assert early.json()["refund_status"] == "requested"
    await shop.sale.pool.execute("UPDATE refunds SET status = 'failed' WHERE refund_id = $1", UUID(refund["id"]))
    assert (await shop.client.post(path)).status_code == 401
    assert (await shop.client.post(path, headers=await shop.member("box_office"))).status_code == 403
    stranger = await make_sale(shop.sale.pool)
    assert (await shop.client.post(path, headers=await shop.member("owner", stranger))).status_code == 404
    again = await shop.client.post(path, headers=manager)
    assert (again.status_code, again.json()["status"]) == (200, "requested")
    await shop.sale.work()
    assert [one.status for one in await shop.sale.refunds(UUID(order["id"]))] == ["succeeded"]
