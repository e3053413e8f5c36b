"""The OpenAPI document tells of every operation who may call it and what it answers; the page shows the same."""

import re
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response

from fullhouse.access.http import holder_of, public, requires
from fullhouse.web.app import OWN_ROUTERS
from fullhouse.web.docs import type_of
from fullhouse.web.edge import Edge
from fullhouse.web.errors import STATUSES
from fullhouse.web.routes import API_ROUTERS, RouteUndeclared, allowed_methods, read_operations

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


async def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert len(operations(document)) > 40


async def test_every_route_of_the_api_is_in_it(app: Edge, document: dict[str, Any]) -> None:
    served = {
        f"{method} {operation.path}"
        for operation in read_operations(app.api)
        for method in operation.methods
        if operation.path.startswith("/api/")
    }
    assert served <= {name for name, _ in operations(document)}


async def test_every_operation_documents_its_refusals_as_problems(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        answers = operation["responses"]
        assert {"400", "413", "414", "422", "429", "431", "500", "503"} <= set(answers), name
        assert ("415" in answers) == ("requestBody" in operation), name
        for status, answer in answers.items():
            if status[0] in "45" and name != "GET /readyz":
                assert list(answer["content"]) == ["application/problem+json"], f"{name} {status}"
        assert "HTTPValidationError" not in str(operation)


async def test_every_operation_says_who_may_call_it(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        permission, answers = operation["x-permission"], operation["responses"]
        if permission == "public":
            assert "403" not in answers, name
            assert not operation["security"] or {} in operation["security"], name
        else:
            assert "401" in answers, name
            assert {} not in operation["security"], name
            assert ("403" in answers) == (permission != "holder"), name


async def test_names_of_operations_are_unique(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)


async def test_numbers_and_texts_that_are_sent_have_bounds(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    sent = {
        found
        for _, operation in operations(document)
        for found in re.findall(r"schemas/(\w+)", str(operation.get("requestBody", {})))
    }
    seen: set[str] = set()
    unbounded: list[str] = []
    while sent:
        name = sent.pop()
        seen.add(name)
        sent |= set(re.findall(r"schemas/(\w+)", str(schemas[name]))) - seen
        unbounded += [f"{name}.{path}" for path in loose(schemas[name].get("properties", {}))]
    assert unbounded == []


def loose(schema: Any, path: str = "") -> list[str]:
    """Find numbers, texts and lists without a limit."""
    if isinstance(schema, list):
        return [found for number, item in enumerate(schema) for found in loose(item, f"{path}.{number}")]
    if not isinstance(schema, dict):
        return []
    limits = {
        "integer": {"maximum", "exclusiveMaximum", "const", "enum"},
        "number": {"maximum", "exclusiveMaximum"},
        "string": {"maxLength", "pattern", "format", "enum", "const"},
        "array": {"maxItems"},
    }
    wanted = limits.get(str(schema.get("type")))
    own = [path] if wanted is not None and not wanted & set(schema) else []
    return own + [found for name, item in schema.items() for found in loose(item, f"{path}.{name}")]


async def test_the_document_can_be_kept_until_it_changes(client: httpx.AsyncClient) -> None:
    first = await client.get("/openapi.json")
    again = await client.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])


async def test_the_page_shows_every_operation_and_loads_nothing_from_elsewhere(
    client: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    page = await client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    for _, operation in operations(document):
        assert f'id="{operation["operationId"]}"' in page.text
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert re.findall(r'(?:src|href)="(?!#)([^"]+)"', page.text) == ["/docs/docs.css", "/openapi.json"]
    style = await client.get("/docs/docs.css")
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "url(" not in style.text
    assert "@import" not in style.text


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 100}, "integer, 1 to 100"),
        ({"type": "string", "maxLength": 5}, "string, at most 5 characters"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Item"}}, "list of Item"),
        ({"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}, "uuid or null"),
        ({"enum": ["in", "out"]}, '"in" or "out"'),
        ({"const": "ok"}, '"ok"'),
        ({"type": ["string", "null"]}, "string or null"),
        ({}, "any value"),
    ],
)
def test_schemas_are_told_in_words(schema: dict[str, Any], words: str) -> None:
    assert type_of(schema) == words


def app_with(*routers: APIRouter) -> FastAPI:
    made = FastAPI()
    made.router.routes.clear()
    for router in routers:
        made.include_router(router)
    return made


def test_a_route_that_declares_nothing_or_twice_stops_the_start() -> None:
    def nothing() -> None: ...

    for dependencies, count in (([], 0), ([public(), requires("order:read")], 2), ([public(), public()], 2)):
        router = APIRouter()
        router.add_api_route("/thing", nothing, methods=["GET"], dependencies=dependencies)
        with pytest.raises(RouteUndeclared, match=f"GET /thing declares {count} permissions"):
            read_operations(app_with(router))
    router = APIRouter()
    router.add_api_route("/thing", nothing, methods=["GET"], dependencies=[holder_of("Order")])
    (operation,) = read_operations(app_with(router))
    assert operation.declaration.permission == "holder"


def test_a_route_that_cannot_declare_stops_the_start() -> None:
    async def plain(_request: Request) -> Response:
        return Response()

    made = app_with()
    made.add_route("/plain", plain)
    with pytest.raises(RouteUndeclared, match="/plain"):
        read_operations(made)


def test_methods_of_a_path_are_gathered_over_its_routes(app: Edge) -> None:
    found = read_operations(app.api)
    assert allowed_methods(found, "/api/v1/events") == ["GET", "HEAD", "POST"]
    assert allowed_methods(found, "/api/v1/tickets/validate") == ["POST"]
    assert allowed_methods(found, "/nothing") == []


def test_all_routers_are_served() -> None:
    assert len({id(router) for router in [*API_ROUTERS, *OWN_ROUTERS]}) == len([*API_ROUTERS, *OWN_ROUTERS])
    assert 500 not in STATUSES.values()
