"""What every answer has, whatever made it."""

import httpx
import pytest
from harness.web import Seller, client_of
from starlette.types import Receive, Scope, Send

from fullhouse.infra import system
from fullhouse.web.edge import Edge, Traffic, route_of, security_headers

SAFE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/api/v1/organizations/x", "/api/v1/nothing"])
async def test_every_answer_has_an_id_and_the_security_headers(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert {name: answer.headers[name] for name in SAFE} == SAFE
    assert len(answer.headers["x-request-id"]) == 36
    assert "strict-transport-security" not in answer.headers


def test_browsers_are_told_to_insist_on_https_where_there_is_some() -> None:
    assert (b"strict-transport-security", b"max-age=31536000; includeSubDomains") in security_headers(https=True)


@pytest.mark.parametrize("sent", ["a", "x" * 128, "7b2f:edge.3_A-9"])
async def test_a_valid_request_id_is_kept(client: httpx.AsyncClient, sent: str) -> None:
    answer = await client.get("/nothing", headers={"X-Request-ID": sent})
    assert answer.headers["x-request-id"] == sent
    assert answer.json()["request_id"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", "ä", "a\tb", '"'])
async def test_an_invalid_request_id_is_replaced(client: httpx.AsyncClient, sent: str) -> None:
    answer = await client.get("/nothing", headers=[(b"X-Request-ID", sent.encode())])
    assert answer.headers["x-request-id"] != sent
    assert len(answer.headers["x-request-id"]) == 36


async def test_ids_differ_and_the_problem_names_its_own(client: httpx.AsyncClient) -> None:
    answers = [await client.get("/nothing") for _ in range(3)]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == 3
    assert {answer.json()["request_id"] for answer in answers} == ids


async def test_head_is_get_without_the_body(client: httpx.AsyncClient) -> None:
    head, get = await client.head("/healthz"), await client.get("/healthz")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.content))


async def test_an_unknown_address_is_a_problem(client: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/api/v1", "/api/v1/", "/api/v2/events", "/healthz/", "/%00"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "route_unknown")
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_wrong_method_says_which_are_right(client: httpx.AsyncClient, seller: Seller) -> None:
    answer = await client.put("/healthz")
    assert (answer.status_code, answer.json()["code"], answer.headers["allow"]) == (
        405,
        "method_not_allowed",
        "GET, HEAD",
    )
    answer = await client.patch(f"/api/v1/organizations/{seller.organization_id}/api-keys")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    answer = await client.request("BREW", "/healthz")
    assert answer.status_code == 405


async def test_a_fault_of_ours_says_nothing_of_itself() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("the password is swordfish")

    traffic = Traffic()
    edge = Edge(broken, None, system.make_id, traffic, https=False)  # pyright: ignore[reportArgumentType]
    async with client_of(edge) as client:
        answer = await client.get("/anything")
    assert (answer.status_code, answer.json()["code"]) == (500, "unexpected")
    assert "swordfish" not in answer.text
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert traffic.in_flight == 0


async def test_requests_are_counted_by_template_and_not_by_path(client: httpx.AsyncClient, seller: Seller) -> None:
    await client.get(f"/api/v1/organizations/{seller.organization_id}", headers=seller.bearer())
    await client.get("/a-path-that-nobody-knows")
    metrics = (await client.get("/metrics")).text
    wanted = 'method="GET",route="/api/v1/organizations/{organization_id}",status="200"'
    assert f"fullhouse_http_requests_total{{{wanted}}}" in metrics
    assert 'route="(unknown)",status="404"' in metrics
    assert str(seller.organization_id) not in metrics
    assert "a-path-that-nobody-knows" not in metrics


def test_a_handler_in_front_of_the_framework_names_its_own_route() -> None:
    assert route_of({"fullhouse.route": "/api/v1/hot", "path": "/api/v1/hot"}) == "/api/v1/hot"
    assert route_of({"path": "/x"}) == "(unknown)"
