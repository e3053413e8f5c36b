"""What browsers are told by every answer there is: of each route, of each kind of refusal, in any method."""

import re
from itertools import product
from typing import Any

import httpx
import pytest
from harness.web import client_of, running_app
from starlette.types import Receive, Scope, Send

from fullhouse.infra import system
from fullhouse.infra.resources import Resources
from fullhouse.web.edge import Edge, Traffic
from fullhouse.web.routes import read_operations

ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-permitted-cross-domain-policies": "none",
}
REFERRERS = {"no-referrer", "same-origin"}
ANY_ID = "01a20301-2642-73e2-8457-56b0dc64359d"


def check(answer: httpx.Response, name: str) -> None:
    headers = answer.headers
    assert {header: headers.get(header) for header in ALWAYS} == ALWAYS, name
    assert headers["referrer-policy"] in REFERRERS, name
    policy = {part.strip() for part in headers["content-security-policy"].split(";")}
    assert {"default-src 'none'", "frame-ancestors 'none'"} <= policy, name
    assert not re.search(r"unsafe|\*|https?:|data:", headers["content-security-policy"]), name
    assert headers["cache-control"], name
    assert len(headers.get_list("cache-control")) == len(headers.get_list("content-security-policy")) == 1, name
    assert headers["x-request-id"], name
    assert "server" not in headers, name


def paths(app: Edge) -> list[str]:
    found = {re.sub(r"\{[^}]+\}", ANY_ID, operation.path) for operation in read_operations(app.api)}
    return [*sorted(found), "/", "/nothing", "/api/v1/nothing", "/static/nothing.css", "/static/../settings", "/%00"]


async def test_every_route_in_every_method_says_it(app: Edge, client: httpx.AsyncClient) -> None:
    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW")
    seen: set[int] = set()
    for path, method in product(paths(app), methods):
        answer = await client.request(method, path)
        check(answer, f"{method} {path}")
        seen.add(answer.status_code)
    assert {200, 400, 401, 404, 405} <= seen
    assert 500 not in seen


async def test_pages_styles_and_documents_say_it(client: httpx.AsyncClient) -> None:
    page = await client.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 200
    linked = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    assert linked
    for path in ["/", "/nothing", "/docs", "/docs/docs.css", "/openapi.json", "/asyncapi.json", *linked]:
        check(await client.get(path, headers={"Accept": "text/html"}), path)


@pytest.mark.parametrize(
    ("path", "headers", "content", "status"),
    [
        ("/api/v1/orders", {"Content-Type": "application/json"}, b"{", 400),
        ("/api/v1/orders", {"Content-Type": "text/plain"}, b"{}", 415),
        ("/api/v1/orders", {"Content-Type": "application/json"}, b"{}", 422),
        ("/api/v1/orders", {"Content-Type": "application/json"}, b"x" * 300_000, 413),
        ("/api/v1/orders", {"X-Long": "x" * 40_000}, b"", 431),
        ("/api/v1/orders?" + "x" * 9_000, {}, b"", 414),
    ],
)
async def test_refusals_of_the_layers_in_front_say_it(
    client: httpx.AsyncClient, path: str, headers: dict[str, str], content: bytes, status: int
) -> None:
    answer = await client.post(path, headers=headers, content=content)
    assert answer.status_code == status
    check(answer, path)


async def test_too_many_requests_says_it(resources: Resources) -> None:
    limits: dict[str, object] = {"rate_limits": True, "rate_limits_by_address": "other=1/600"}
    async with running_app(resources, **limits) as app, client_of(app) as client:
        answers = [await client.get("/nothing") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [404, 429]
    check(answers[1], "429")


async def test_a_stream_and_a_fault_of_ours_say_it() -> None:
    async def some(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["path"] == "/broken":
            raise RuntimeError
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})
        await send({"type": "http.response.body"})

    api: Any = None
    async with client_of(Edge(some, api, system.make_id, Traffic(), https=True)) as client:
        stream, broken = await client.get("/stream"), await client.get("/broken")
    assert (stream.status_code, broken.status_code) == (200, 500)
    for answer in (stream, broken):
        check(answer, str(answer.url))
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


async def test_what_holds_a_secret_is_kept_by_nobody(client: httpx.AsyncClient) -> None:
    for path in (f"/api/v1/orders/{ANY_ID}", f"/orders/{ANY_ID}/secret", f"/api/v1/tickets/{ANY_ID}/qr.svg"):
        answer = await client.get(path, headers={"Authorization": "Order secret", "Accept": "text/html"})
        assert answer.headers["cache-control"] == "no-store", path
        assert answer.headers["referrer-policy"] == "no-referrer", path


async def test_the_one_cookie_is_for_pages_alone_and_behind_a_proxy_for_https_alone(resources: Resources) -> None:
    async with running_app(resources, trusted_proxies="127.0.0.1/32") as app, client_of(app) as client:
        plain = await client.get("/?lang=pt-BR")
        secure = await client.get("/?lang=pt-BR", headers={"X-Forwarded-Proto": "https"})
    flags = {flag.strip().lower() for flag in plain.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/"} <= flags
    assert "secure" not in flags
    assert "secure" in secure.headers["set-cookie"].lower()
