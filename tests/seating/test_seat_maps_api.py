"""Publishing and reading seat maps over HTTP."""

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from harness.web import Seller, client_of, make_resources, make_seller, running_app
from seating.documents import fullhouse_document, pretix_document
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool
from fullhouse.operations.generate_seat_map import generate_document
from fullhouse.seating.import_seat_map import seat_map_from


@pytest.fixture(scope="module")
async def client(
    pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    resources = make_resources(pool, valkey, tmp_path_factory.mktemp("parts"))
    async with running_app(resources) as app, client_of(app) as opened:
        yield opened


@pytest.fixture
async def seller(pool: Pool) -> Seller:
    return await make_seller(pool)


def path(seller: Seller) -> str:
    return f"/api/v1/organizations/{seller.organization_id}/seat-maps"


async def count_maps(pool: Pool, seller: Seller) -> int:
    count: int = await pool.fetchval(
        "SELECT count(*) FROM seat_maps WHERE organization_id = $1", seller.organization_id
    )
    return count


async def test_a_manager_publishes_a_map_and_anyone_reads_it(client: httpx.AsyncClient, seller: Seller) -> None:
    answer = await client.post(path(seller), json=fullhouse_document(), headers=seller.bearer("manager"))
    assert answer.status_code == 201
    made = answer.json()
    assert {name: made[name] for name in ("name", "version", "seat_count", "area_count", "place_count")} == {
        "name": "Small Hall",
        "version": 1,
        "seat_count": 6,
        "area_count": 1,
        "place_count": 56,
    }
    assert made["price_categories"] == [
        {"key": "front", "name": "Front", "color": "#aa3355", "place_count": 2},
        {"key": "back", "name": "back", "color": None, "place_count": 4},
        {"key": "floor", "name": "floor", "color": "teal", "place_count": 50},
    ]
    shown = await client.get(f"/api/v1/seat-maps/{made['id']}")
    assert shown.status_code == 200
    assert shown.headers["cache-control"] == "public, max-age=31536000, immutable"
    body = shown.json()
    assert (body["id"], body["created_at"]) == (made["id"], made["created_at"])
    assert seat_map_from(body["document"]).sections == seat_map_from(fullhouse_document()).sections
    again = await client.get(f"/api/v1/seat-maps/{made['id']}", headers={"If-None-Match": shown.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_plan_of_pretix_and_an_arena_are_taken(client: httpx.AsyncClient, seller: Seller) -> None:
    for document, seats in ((pretix_document(), 5), (generate_document("arena"), 20_000)):
        answer = await client.post(path(seller), json=document, headers=seller.bearer())
        assert (answer.status_code, answer.json()["seat_count"]) == (201, seats)


async def test_a_wrong_map_is_refused_with_its_places_and_changes_nothing(
    client: httpx.AsyncClient, seller: Seller, pool: Pool
) -> None:
    document = fullhouse_document()
    document["sections"][0]["rows"][0]["seats"][2]["x"] = None
    answer = await client.post(path(seller), json=document, headers=seller.bearer())
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "seat_map_invalid"
    assert problem["errors"] == [{"field": "sections[0].rows[0].seats[2].x", "message": "is missing"}]
    assert problem["error_count"] == 1
    for body in (b"", b"\xff", b"[1", b'{"zones": {}}'):
        headers = {**seller.bearer(), "Content-Type": "application/json"}
        assert (await client.post(path(seller), content=body, headers=headers)).status_code == 422
    assert await count_maps(pool, seller) == 0


async def test_a_repeated_key_publishes_once(client: httpx.AsyncClient, seller: Seller, pool: Pool) -> None:
    headers = {**seller.bearer(), "Idempotency-Key": "map-1"}
    first = await client.post(path(seller), json=fullhouse_document(), headers=headers)
    again = await client.post(path(seller), json=fullhouse_document(), headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    other = await client.post(path(seller), json=pretix_document(), headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await count_maps(pool, seller) == 1


async def test_only_managers_of_the_organization_publish(client: httpx.AsyncClient, seller: Seller, pool: Pool) -> None:
    document = fullhouse_document()
    stranger = await make_seller(pool)
    assert (await client.post(path(seller), json=document)).status_code == 401
    for role in ("box_office", "scanner"):
        assert (await client.post(path(seller), json=document, headers=seller.bearer(role))).status_code == 403
    assert (await client.post(path(seller), json=document, headers=stranger.bearer())).status_code == 404
    assert await count_maps(pool, seller) == 0


async def test_a_map_that_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/api/v1/seat-maps/{uuid4()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "seat_map_not_found")
    assert (await client.get("/api/v1/seat-maps/none")).status_code == 422


async def test_a_document_of_a_newer_format_is_refused(client: httpx.AsyncClient, seller: Seller) -> None:
    document = json.dumps(fullhouse_document() | {"version": 2})
    headers = {**seller.bearer(), "Content-Type": "application/json"}
    answer = await client.post(path(seller), content=document, headers=headers)
    assert answer.json()["errors"][0]["field"] == "version"
