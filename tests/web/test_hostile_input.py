"""Input that nobody honest sends gets the contract's error, and changes nothing."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from harness.web import Seller, client_of, make_seller, running_app

from fullhouse.infra.postgres import Pool, connection
from fullhouse.infra.resources import Resources

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def fresh(pool: Pool) -> Seller:
    return await make_seller(pool)


def path_of(seller: Seller) -> str:
    return f"/api/v1/organizations/{seller.organization_id}/api-keys"


async def key_count(pool: Pool, seller: Seller) -> int:
    async with connection(pool, seller.organization_id) as conn:
        count: int = await conn.fetchval(
            "SELECT count(*) FROM api_keys WHERE organization_id = $1", seller.organization_id
        )
        return count


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid"),
        (b"{", 400, "malformed"),
        (b"\xff\xfe{}", 400, "malformed"),
        (b'{"name": "\xc3\x28", "role": "owner"}', 400, "malformed"),
        (b"[" * 100_000, 400, "json_too_deep"),
        (b'{"a":' * 50_000, 400, "json_too_deep"),
        (b"[" * 65 + b"]" * 65, 400, "json_too_deep"),
        (b"[" * 64 + b"]" * 64, 422, "invalid"),
        (b"[" * 100_000 + b"]" * 100_000, 400, "json_too_deep"),
        (b'[{"a":' * 33 + b"1" + b"}]" * 33, 400, "json_too_deep"),
        (b"[" + b"[]," * 5_000 + b"[]]", 422, "invalid"),
        (b'{"name": "' + b"[" * 1_000 + b'", "role": "scanner", "x": 1}', 422, "invalid"),
        (b'{"name": "\\"' + b"[{" * 1_000 + b'", "role": 1}', 422, "invalid"),
        (b'{"' + b'\\"' * 100_000, 400, "malformed"),
        (b"[[]" * 40 + b'"' + b'\\"' * 100_000, 400, "malformed"),
        (b"1" * 5_000, 400, "malformed"),
        (b"null", 422, "invalid"),
        (b"[]", 422, "invalid"),
        (b'"text"', 422, "invalid"),
        (b"NaN", 422, "invalid"),
        (b'{"name": "a\\u0000b", "role": "scanner"}', 422, "invalid"),
        (b'{"name": "a\\ud800b", "role": "scanner"}', 422, "invalid"),
        (b'{"name": 1e400, "role": "scanner"}', 422, "invalid"),
        (b'{"name": "x", "role": "scanner", "organization_id": 1}', 422, "invalid"),
        (b'{"name": "x", "role": "scanner", "\\ud800": 1}', 422, "invalid"),
        (b'{"name": ["x"], "role": {}}', 422, "invalid"),
        (b'{"name": "x", "role": "scanner", "expires_at": "now"}', 422, "invalid"),
    ],
)
async def test_a_bad_body_is_refused_and_issues_nothing(
    client: httpx.AsyncClient, pool: Pool, fresh: Seller, body: bytes, status: int, code: str
) -> None:
    before = await key_count(pool, fresh)
    answer = await client.post(path_of(fresh), content=body, headers={**fresh.bearer(), **JSON})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await key_count(pool, fresh) == before


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_another_media_type_is_refused(
    client: httpx.AsyncClient, pool: Pool, fresh: Seller, content_type: str
) -> None:
    before = await key_count(pool, fresh)
    answer = await client.post(
        path_of(fresh),
        content=b'{"name": "x", "role": "scanner"}',
        headers={**fresh.bearer(), **({"Content-Type": content_type} if content_type else {})},
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "media_type_unknown")
    assert await key_count(pool, fresh) == before


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "!!!!", "A" * 499, "A" * 8_000, "AAAAAAAAAAA", "ü", "W10", "null", "%ED%A0%80"],
)
async def test_a_cursor_that_was_not_given_out_is_malformed(
    client: httpx.AsyncClient, fresh: Seller, cursor: str
) -> None:
    answer = await client.get(path_of(fresh), params={"cursor": cursor}, headers=fresh.bearer())
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_malformed")


@pytest.mark.parametrize("limit", ["0", "-1", "101", "x", "1.5", "9" * 5_000, "", "NaN"])
async def test_a_page_has_bounds(client: httpx.AsyncClient, fresh: Seller, limit: str) -> None:
    answer = await client.get(path_of(fresh), params={"limit": limit}, headers=fresh.bearer())
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert answer.json()["errors"][0]["field"] == "limit"


@pytest.mark.parametrize("query", [b"cursor=a%00b", b"x=%00", b"%00"])
async def test_nul_characters_in_a_query_are_refused(client: httpx.AsyncClient, fresh: Seller, query: bytes) -> None:
    answer = await client.get(httpx.URL(f"http://tickets.example{path_of(fresh)}", query=query), headers=fresh.bearer())
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


@pytest.mark.parametrize(
    "organization", ["x", "1", "null", "{}", "'; DROP TABLE orders; --", "%2e%2e", str(UUID(int=0))]
)
async def test_an_organization_that_is_none_is_not_found(
    client: httpx.AsyncClient, fresh: Seller, organization: str
) -> None:
    answer = await client.get(f"/api/v1/organizations/{organization}", headers=fresh.bearer())
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer x",
        "Bearer fh_",
        "Bearer fh_" + "A" * 54,
        "Bearer " + "A" * 4_000,
        "Bearer " + "A" * 8_000,
        "Basic b3duZXI6b3duZXI=",
        "Order abc",
        "Reservation abc",
        "Bearer \x7f",
        "Bearer fh_' OR 1=1",
    ],
)
async def test_a_credential_that_is_none_is_401(client: httpx.AsyncClient, fresh: Seller, authorization: str) -> None:
    answer = await client.get(
        f"/api/v1/organizations/{fresh.organization_id}", headers={"Authorization": authorization}
    )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="fullhouse"'


@pytest.fixture(scope="module")
async def small(resources: Resources) -> AsyncIterator[httpx.AsyncClient]:
    async with running_app(resources, body_bytes_max=2_000, seat_map_bytes_max=4_000) as app, client_of(app) as opened:
        yield opened


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 100):
        yield b" " * 100


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit_is_413(
    small: httpx.AsyncClient, pool: Pool, fresh: Seller, *, declared: bool
) -> None:
    before = await key_count(pool, fresh)
    content: Any = b" " * 2_100 if declared else chunks(2_100)
    answer = await small.post(path_of(fresh), content=content, headers={**fresh.bearer(), **JSON})
    assert (answer.status_code, answer.json()["code"], answer.json()["bytes_max"]) == (413, "body_too_large", 2_000)
    assert answer.headers["connection"] == "close"
    assert await key_count(pool, fresh) == before


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_at_the_limit_is_read(small: httpx.AsyncClient, fresh: Seller, *, declared: bool) -> None:
    text = b'{"name": "x", "role": "scanner"}'
    content: Any = text.ljust(2_000)

    async def parts() -> AsyncIterator[bytes]:
        yield content[:10]
        yield content[10:]

    answer = await small.post(
        path_of(fresh), content=content if declared else parts(), headers={**fresh.bearer(), **JSON}
    )
    assert answer.status_code == 201


async def test_seat_maps_may_be_larger(small: httpx.AsyncClient, fresh: Seller) -> None:
    path = f"/api/v1/organizations/{fresh.organization_id}/seat-maps"
    answer = await small.post(path, content=b" " * 4_000, headers={**fresh.bearer(), **JSON})
    assert answer.status_code == 422
    answer = await small.post(path, content=b" " * 4_001, headers={**fresh.bearer(), **JSON})
    assert (answer.status_code, answer.json()["bytes_max"]) == (413, 4_000)


@pytest.mark.parametrize("length", ["-1", "x", "9" * 30, "1e3"])
async def test_a_length_that_is_none_is_refused(small: httpx.AsyncClient, fresh: Seller, length: str) -> None:
    answer = await small.post(
        path_of(fresh), content=b"{}", headers={**fresh.bearer(), **JSON, "Content-Length": length}
    )
    assert answer.status_code in {400, 413}


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/api/v1/events?q=" + "a" * 8_192, {}, 414, "url_too_long"),
        ("/api/v1/events/" + "a" * 8_192, {}, 414, "url_too_long"),
        ("/api/v1/events", {f"X-Header-{number}": "x" for number in range(101)}, 431, "headers_too_large"),
        ("/api/v1/events", {"X-Long": "a" * 32_768}, 431, "headers_too_large"),
        ("/orders/x/y", {"Cookie": "a" * 32_768}, 431, "headers_too_large"),
        ("/api/v1/events?q=" + "a" * 50, {"X-Long": "a" * 30_000}, 200, ""),
    ],
)
async def test_a_head_has_bounds(
    client: httpx.AsyncClient, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await client.get(path, headers=headers)
    assert answer.status_code == status
    assert answer.json().get("code", "") == code
    assert "x-request-id" in answer.headers
