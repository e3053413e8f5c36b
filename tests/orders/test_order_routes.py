"""POST /orders: from a reservation or at once, once for a key, with the contract's refusals."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from harness.sale import make_sale
from harness.shop import Shop, holder, open_app, reservation
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool

ANA: dict[str, Any] = {"email": "ana.souza@example.com", "name": "Ana Souza"}


@pytest.fixture(scope="module")
async def client(
    pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    async with open_app(pool, valkey, tmp_path_factory.mktemp("parts")) as opened:
        yield opened


@pytest.fixture
async def shop(pool: Pool, client: httpx.AsyncClient) -> Shop:
    return Shop(await make_sale(pool), client)


async def orders(shop: Shop) -> int:
    return await shop.sale.pool.fetchval(
        "SELECT count(*) FROM orders WHERE organization_id = $1", shop.sale.made.organization_id
    )


def short(shop: Shop, **body: Any) -> dict[str, Any]:
    return {"session_id": str(shop.sale.made.session_id), "quantity": 2, **ANA, **body}


async def test_an_order_is_placed_from_a_reservation(shop: Shop) -> None:
    held = await shop.reserve(3)
    answer = await shop.client.post("/orders", json={"reservation_id": held["id"], **ANA}, headers=reservation(held))
    assert answer.status_code == 201
    body = answer.json()
    assert body["status"] == "pending"
    assert (body["total_minor"], body["currency"], body["language"]) == (7500, "EUR", "en")
    assert (body["email"], body["name"]) == (ANA["email"], ANA["name"])
    assert [(line["quantity"], line["price_minor"], line["total_minor"]) for line in body["lines"]] == [(3, 2500, 7500)]
    assert body["expires_at"].endswith("Z")
    assert len(body["secret"]) == 22
    assert (await shop.client.get(f"/orders/{body['id']}", headers=holder(body))).json()["id"] == body["id"]


async def test_a_list_of_one_reservation_is_taken_too(shop: Shop) -> None:
    held = await shop.reserve()
    body = {"reservation_ids": [held["id"]], **ANA}
    assert (await shop.client.post("/orders", json=body, headers=reservation(held))).status_code == 201
    more = {"reservation_ids": [held["id"], str(uuid4())], **ANA}
    assert (await shop.client.post("/orders", json=more, headers=reservation(held))).status_code == 422


async def test_the_language_is_the_buyers(shop: Shop) -> None:
    held = await shop.reserve(1)
    portuguese = {"Accept-Language": "pt-PT, en;q=0.5"} | reservation(held)
    body = {"reservation_id": held["id"], **ANA}
    assert (await shop.client.post("/orders", json=body, headers=portuguese)).json()["language"] == "pt-BR"
    assert (await shop.order(1, language="pt-BR"))["language"] == "pt-BR"


async def test_a_repeated_key_answers_the_same_and_orders_once(shop: Shop) -> None:
    held = await shop.reserve()
    headers = reservation(held) | {"Idempotency-Key": "k1"}
    body = {"reservation_id": held["id"], **ANA}
    first = await shop.client.post("/orders", json=body, headers=headers)
    again = await shop.client.post("/orders", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await shop.client.post("/orders", json=body | {"name": "Eva Lima"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await orders(shop) == 1


async def test_what_is_kept_for_repeats_names_nobody_and_opens_nothing(shop: Shop) -> None:
    held = await shop.reserve()
    headers = reservation(held) | {"Idempotency-Key": "k2"}
    placed = await shop.client.post("/orders", json={"reservation_id": held["id"], **ANA}, headers=headers)
    kept = await shop.sale.pool.fetchval(
        "SELECT string_agg(answer::text, '') FROM idempotency_keys WHERE organization_id = $1",
        shop.sale.made.organization_id,
    )
    assert placed.json()["id"] in kept
    for hidden in (placed.json()["secret"], ANA["email"], ANA["name"], held["token"]):
        assert hidden not in kept


async def test_a_reservation_is_ordered_once_without_a_key_too(shop: Shop) -> None:
    held = await shop.reserve()
    body = {"reservation_id": held["id"], **ANA}
    first = await shop.client.post("/orders", json=body, headers=reservation(held))
    second = await shop.client.post("/orders", json=body, headers=reservation(held))
    assert (second.status_code, second.json()["code"]) == (409, "order_exists")
    assert second.json()["order_id"] == first.json()["id"]


async def test_only_the_holder_of_the_reservation_orders_it(shop: Shop) -> None:
    held, other = await shop.reserve(1), await shop.reserve(1)
    body = {"reservation_id": held["id"], **ANA}
    assert (await shop.client.post("/orders", json=body)).status_code == 401
    assert (await shop.client.post("/orders", json=body, headers=reservation(other))).status_code == 404
    bearer = await shop.member("owner")
    assert (await shop.client.post("/orders", json=body, headers=bearer)).status_code == 401
    assert await orders(shop) == 0


async def test_an_expired_reservation_is_refused_and_the_refusal_is_kept(shop: Shop) -> None:
    held = await shop.reserve()
    await shop.sale.pool.execute(
        "UPDATE reservations SET expires_at = clock_timestamp() WHERE reservation_id = $1", UUID(held["id"])
    )
    headers = reservation(held) | {"Idempotency-Key": "k3"}
    body = {"reservation_id": held["id"], **ANA}
    answers = [await shop.client.post("/orders", json=body, headers=headers) for _ in range(2)]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(409, "reservation_expired")] * 2
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert await orders(shop) == 0


async def test_the_short_form_reserves_and_orders(shop: Shop) -> None:
    for body in (
        short(shop),
        {"event_id": str(shop.sale.made.event_id), "quantity": 2, **ANA},
        short(shop, ticket_type_id=str(shop.sale.made.types["adult"])),
    ):
        answer = await shop.client.post("/orders", json=body)
        assert answer.status_code == 201, answer.text
        assert answer.json()["total_minor"] == 5000
        assert answer.json()["session_id"] == str(shop.sale.made.session_id)
    assert await shop.sale.stock() == (10, 6, 0, 0)


async def test_the_short_form_needs_no_name(shop: Shop) -> None:
    body = {"session_id": str(shop.sale.made.session_id), "quantity": 1, "email": ANA["email"]}
    answer = await shop.client.post("/orders", json=body)
    assert (answer.status_code, answer.json()["name"]) == (201, "")


async def test_the_short_form_with_one_key_at_once_reserves_and_orders_once(shop: Shop) -> None:
    headers = {"Idempotency-Key": "storm"}
    answers = await asyncio.gather(*(shop.client.post("/orders", json=short(shop), headers=headers) for _ in range(10)))
    won = [one.json() for one in answers if one.status_code == 201]
    assert won
    assert all(one == won[0] for one in won)
    assert {one.json()["code"] for one in answers if one.status_code != 201} <= {"idempotency_in_flight"}
    last = await shop.client.post("/orders", json=short(shop), headers=headers)
    assert last.json() == won[0]
    assert await orders(shop) == 1
    assert await shop.sale.stock() == (10, 2, 0, 0)


async def test_the_short_form_says_sold_out_and_says_so_again(shop: Shop) -> None:
    headers = {"Idempotency-Key": "too-late"}
    await shop.sale.hold(9)
    first = await shop.client.post("/orders", json=short(shop), headers=headers)
    assert (first.status_code, first.json()["code"]) == (409, "sold_out")
    again = await shop.client.post("/orders", json=short(shop), headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "sold_out")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await orders(shop) == 0
    assert await shop.sale.stock() == (10, 9, 0, 0)


async def test_a_key_of_the_short_form_with_another_body_takes_nothing(shop: Shop) -> None:
    headers = {"Idempotency-Key": "mine"}
    assert (await shop.client.post("/orders", json=short(shop), headers=headers)).status_code == 201
    other = await shop.client.post("/orders", json=short(shop, quantity=1), headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await shop.sale.stock() == (10, 2, 0, 0)


async def test_a_free_order_is_paid_at_once(pool: Pool, client: httpx.AsyncClient) -> None:
    shop = Shop(await make_sale(pool, price_minor=0), client)
    body = (await client.post("/orders", json=short(shop))).json()
    assert (body["status"], body["total_minor"], body["expires_at"]) == ("paid", 0, None)
    assert body["paid_at"] is not None


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": 0},
        {"quantity": -1},
        {"quantity": 10**30},
        {"quantity": "2"},
        {"quantity": None},
        {"email": "ana"},
        {"email": "ana@example.com\r\nBcc: eva@example.com"},
        {"email": None},
        {"name": "a\u0000b"},
        {"name": "x" * 201},
        {"unknown": 1},
        {"session_id": "1"},
        {"event_id": "01900000-0000-7000-8000-000000000000"},
        {"reservation_id": "01900000-0000-7000-8000-000000000000"},
        {"language": "klingon"},
        {"total_minor": 1},
    ],
)
async def test_bad_bodies_are_refused_and_change_nothing(shop: Shop, change: dict[str, Any]) -> None:
    answer = await shop.client.post("/orders", json=short(shop, **change))
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert await orders(shop) == 0
    assert await shop.sale.stock() == (10, 0, 0, 0)


async def test_what_is_not_there_is_not_found(shop: Shop) -> None:
    for body in (
        {"session_id": str(uuid4()), "quantity": 1, **ANA},
        {"event_id": str(uuid4()), "quantity": 1, **ANA},
    ):
        assert (await shop.client.post("/orders", json=body)).status_code == 404
    wrong = await shop.client.post("/orders", json=short(shop, ticket_type_id=str(uuid4())))
    assert (wrong.status_code, wrong.json()["code"]) == (422, "not_sold_here")


async def test_an_event_with_several_sessions_asks_which(shop: Shop) -> None:
    made = shop.sale.made
    await shop.sale.pool.execute(
        """
        INSERT INTO sessions (organization_id, session_id, event_id, time_zone, starts_local, starts_at)
        SELECT organization_id, gen_random_uuid(), event_id, time_zone, starts_local, starts_at
        FROM sessions WHERE session_id = $1
        """,
        made.session_id,
    )
    answer = await shop.client.post("/orders", json={"event_id": str(made.event_id), "quantity": 1, **ANA})
    assert (answer.status_code, answer.json()["code"]) == (422, "choice_needed")
    assert answer.json()["errors"][0]["field"] == "session_id"
    assert str(made.session_id) in answer.json()["choices"]


async def test_a_draft_is_not_there(shop: Shop) -> None:
    await shop.sale.pool.execute("UPDATE events SET status = 'draft' WHERE event_id = $1", shop.sale.made.event_id)
    by_event = await shop.client.post("/orders", json={"event_id": str(shop.sale.made.event_id), "quantity": 1, **ANA})
    assert (by_event.status_code, by_event.json()["code"]) == (404, "event_not_found")
    by_session = await shop.client.post("/orders", json=short(shop))
    assert (by_session.status_code, by_session.json()["code"]) == (409, "not_on_sale")
