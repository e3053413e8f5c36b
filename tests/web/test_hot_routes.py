"""What is served in front of the framework accepts, refuses and answers what the document and the models say."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from harness.stock import MadeSession, make_seated_session, make_session, rectangle
from harness.web import Seller, client_of
from starlette.types import Receive, Scope, Send

from fullhouse.access.http import public
from fullhouse.catalogue.api.offers import AvailabilityAnswer
from fullhouse.infra.hot import HotOperation, hot_route, send_answer
from fullhouse.infra.hot_reading import BodyReader, must_be_valid, read_raw
from fullhouse.infra.http import ApiModel
from fullhouse.infra.postgres import Pool
from fullhouse.reservations.answers import PlacedReservation
from fullhouse.web.edge import Edge
from fullhouse.web.errors import add_error_handlers
from fullhouse.web.hot_routes import HotRoutes
from fullhouse.web.request_limits import RequestLimits

HOLD = "/api/v1/reservations"
SCAN = "/api/v1/tickets/validate"
ID = "019a0000-0000-7000-8000-000000000000"
REFUSED_BY_FORM = {400, 413, 415, 422}
JSON = {"Content-Type": "application/json"}


def hold_body(**changes: object) -> dict[str, object]:
    return {"session_id": ID, "items": [{"ticket_type_id": ID, "quantity": 1}], **changes}


def item(**fields: object) -> dict[str, object]:
    return hold_body(items=[{"ticket_type_id": ID, **fields}])


HOLD_BODIES: list[object] = [
    hold_body(),
    hold_body(items=[]),
    hold_body(items="none"),
    hold_body(items=[{"ticket_type_id": ID, "quantity": 1}] * 21),
    hold_body(more=1),
    hold_body(session_id=7),
    hold_body(session_id="not an id"),
    {"session_id": ID},
    {},
    [],
    None,
    7,
    "text",
    item(),
    item(quantity=0),
    item(quantity=1001),
    item(quantity=1.0),
    item(quantity=True),
    item(quantity="1"),
    item(quantity=None, seats=["A-1"]),
    item(quantity=1, seats=["A-1"]),
    item(quantity=1, area=" "),
    item(quantity=1, area="a\u0000b"),
    item(quantity=1, area="a\ud800b"),
    item(quantity=1, area="x" * 101),
    item(seats=[]),
    item(seats=["A-1", "A\n2"]),
    item(seats=["s"] * 1001),
    item(area="here", best_available=1),
    item(best_available=2),
    item(best_available={"count": 2, "accessible": 3}),
    item(best_available={"count": 2, "companions": 1}),
    item(best_available={"count": 2, "section": "stalls", "more": None}),
    hold_body(code="TEN-OFF"),
    hold_body(code="  ten-off "),
    hold_body(code=""),
    hold_body(code=" "),
    hold_body(code="x" * 41),
    hold_body(code=7),
    hold_body(code=None),
    hold_body(code="a\u0000b"),
    item(quantity=1, surprise={"deep": [1, 2, {"x": float("nan")}]}),
]
RAW: list[tuple[bytes, dict[str, str]]] = [
    (b"", JSON),
    (b"", {}),
    (b"{", JSON),
    (b"{}", {}),
    (b"{}", {"Content-Type": "text/plain"}),
    (b"{}", {"Content-Type": "application/problem+json; charset=utf-8"}),
    (b"{}", {"Content-Type": "APPLICATION/JSON"}),
    (b'{"session_id": NaN}', JSON),
    (b"\xff\xfe{}", JSON),
    (b'"\xc3\x28"', JSON),
    (json.dumps(hold_body()).encode("utf-16"), JSON),
    (json.dumps(hold_body()).encode(), {**JSON, "Idempotency-Key": ""}),
    (json.dumps(hold_body()).encode(), {**JSON, "Idempotency-Key": "k" * 255}),
    (json.dumps(hold_body()).encode(), {**JSON, "Idempotency-Key": "k" * 256}),
    (json.dumps(hold_body()).encode(), {**JSON, "Idempotency-Key": "\u00e9"}),
    (b'{"code": "x"}', JSON),
    (b'{"code": ""}', JSON),
    (b'{"code": "x", "direction": "up", "gate": 7}', JSON),
    (b'{"code": "x", "scan_id": "a b", "session_id": "?"}', JSON),
    (b"9" * 5000, JSON),
    (b"[" * 60 + b"]" * 60, JSON),
]
BODIES = [(json.dumps(body).encode(), JSON) for body in HOLD_BODIES] + RAW


@pytest.fixture(scope="module")
async def framework(app: Edge) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the same parameters by ordinary routes of the framework, which answer 200 to all they take."""
    plain = FastAPI()
    router = APIRouter()
    for context in iter_route_contexts(app.api.routes):
        if isinstance(context.endpoint, HotOperation):

            async def take(**_parameters: object) -> str:
                return "taken"

            take.__signature__ = context.endpoint.__signature__  # type: ignore[attr-defined]
            router.add_api_route(str(context.path_format), take, methods=list(context.methods or ()))
    plain.include_router(router)
    plain.state.actors = app.api.state.actors
    add_error_handlers(plain, lambda _path: ("POST",))
    async with client_of(RequestLimits(plain, 2_000_000, {})) as opened:
        yield opened


@pytest.mark.parametrize("path", [HOLD, SCAN])
async def test_both_refuse_the_same_bodies_in_the_same_words(
    client: httpx.AsyncClient, framework: httpx.AsyncClient, seller: Seller, path: str
) -> None:
    taken = 0
    for raw, sent in BODIES:
        headers: Any = {**seller.bearer(), **{name: value.encode("latin-1") for name, value in sent.items()}}
        by_models = await framework.post(path, content=raw, headers=headers)
        by_us = await client.post(path, content=raw, headers=headers)
        if by_models.status_code == 200:
            taken += 1
            assert by_us.status_code not in REFUSED_BY_FORM, (raw, sent, by_us.text)
        else:
            assert by_us.status_code in REFUSED_BY_FORM, (raw, sent)
            assert told(by_us) == told(by_models), (raw, sent)
    assert taken == (8 if path == HOLD else 1)


async def test_who_shows_nothing_is_told_so_unless_what_they_sent_is_no_json(
    client: httpx.AsyncClient, framework: httpx.AsyncClient
) -> None:
    for raw in (b'{"code": 7}', b'{"code": "x"}', b"{"):
        answers = [await one.post(SCAN, content=raw, headers=JSON) for one in (client, framework)]
        assert told(answers[0]) == told(answers[1])
        assert answers[0].status_code == (400 if raw == b"{" else 401)


async def test_paths_and_headers_are_read_alike(client: httpx.AsyncClient, framework: httpx.AsyncClient) -> None:
    asked: list[tuple[str, dict[str, str]]] = [
        ("not-an-id", {}),
        (ID, {"If-None-Match": "x" * 1001}),
        (ID, {"Authorization": "Bearer nonsense"}),
        (ID.replace("-", ""), {"If-None-Match": "x" * 1001}),
    ]
    for name, headers in asked:
        path = f"/api/v1/sessions/{name}/availability"
        answers = [await one.get(path, headers=headers) for one in (client, framework)]
        assert told(answers[0]) == told(answers[1])
        assert answers[0].status_code in {401, 422}


async def test_payments_are_read_alike(client: httpx.AsyncClient, framework: httpx.AsyncClient) -> None:
    holder = {**JSON, "Authorization": "Order guessed"}
    good = b'{"provider": "simulated", "outcome": "late"}'
    asked: list[tuple[str, bytes, dict[str, str]]] = [
        (ID, good, holder),
        (ID, b'{"provider": "../etc"}', holder),
        (ID, b'{"provider": "simulated", "outcome": "explode", "amount_minor": 1}', holder),
        (ID, b"[]", holder),
        (ID, b"", holder),
        (ID, b"{", holder),
        (ID, b"{", JSON),
        (ID, b"[]", JSON),
        (ID, good, JSON),
        (ID, good, {**holder, "Content-Type": "text/plain"}),
        (ID, good, {**holder, "Idempotency-Key": "k" * 256}),
        ("not-an-id", good, holder),
    ]
    statuses: list[int] = []
    for order_id, raw, headers in asked:
        path = f"/api/v1/orders/{order_id}/payments"
        by_models, by_us = [await one.post(path, content=raw, headers=headers) for one in (framework, client)]
        statuses.append(by_models.status_code)
        if by_models.status_code == 200:
            assert (by_us.status_code, by_us.json()["code"]) == (404, "order_not_found")
        else:
            assert told(by_us) == told(by_models), (raw, headers)
    assert statuses == [200, 422, 422, 422, 422, 400, 400, 401, 401, 415, 422, 422]


async def test_other_methods_and_huge_bodies_are_refused_as_everywhere(client: httpx.AsyncClient) -> None:
    for path, allowed in ((HOLD, "POST"), (SCAN, "POST"), (f"/api/v1/sessions/{ID}/availability", "GET, HEAD")):
        for method in {"GET", "POST", "PUT", "DELETE"} - set(allowed.split(", ")):
            answer = await client.request(method, path)
            assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
            assert answer.headers["allow"] == allowed
    huge = await client.post(HOLD, content=b"[" + b" " * 3_000_000 + b"]", headers=JSON)
    assert (huge.status_code, huge.json()["code"]) == (413, "body_too_large")
    deep = await client.post(HOLD, content=b"[" * 5_000, headers=JSON)
    assert (deep.status_code, deep.json()["code"]) == (400, "json_too_deep")


async def test_answers_are_what_the_models_write(pool: Pool, client: httpx.AsyncClient) -> None:
    standing = await make_session(pool)
    seated = await make_seated_session(pool, rectangle(2, 5))
    wishes = ((standing, {"quantity": 2}), (standing, {"quantity": 2}), (seated, {"best_available": 3}))
    for made, wish in wishes:
        answer = await client.post(HOLD, json=wants(made, **wish))
        assert answer.status_code == 201
        assert PlacedReservation.model_validate_json(answer.content).model_dump_json() == answer.text
        shown = await client.get(f"/api/v1/sessions/{made.session_id}/availability")
        assert AvailabilityAnswer.model_validate_json(shown.content).model_dump(mode="json") == shown.json()


async def test_equal_bodies_are_other_requests_and_a_key_means_one(pool: Pool, client: httpx.AsyncClient) -> None:
    made = await make_session(pool, capacity=3)
    body = wants(made, quantity=1)
    plain = [(await client.post(HOLD, json=body)).json()["id"] for _ in range(2)]
    key = {"Idempotency-Key": "once"}
    kept = [await client.post(HOLD, json=body, headers=key) for _ in range(2)]
    assert len({*plain, *(one.json()["id"] for one in kept)}) == 3
    assert kept[0].json() == kept[1].json()
    assert [one.headers.get("idempotency-replayed") for one in kept] == [None, "true"]
    other = await client.post(HOLD, json=wants(made, quantity=2), headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_fault_of_a_hot_route_is_an_unexpected_problem(app: Edge) -> None:
    class Thing(ApiModel):
        name: str

    router, reader = APIRouter(), BodyReader(Thing)

    async def post_thing(_scope: Scope, receive: Receive, send: Send) -> None:
        thing = must_be_valid(reader.read(_scope, await read_raw(receive)))
        if thing.name == "broken":
            raise RuntimeError(thing.name)
        await send_answer(send, 200, thing.model_dump_json().encode())

    hot_route(router, "POST /things", takes={"body": Thing}, dependencies=[public()])(post_thing)
    api = FastAPI()
    api.include_router(router)
    traffic, make_id = app.traffic, app._make_id  # pyright: ignore[reportPrivateUsage]
    edge = Edge(HotRoutes(api), api, make_id, traffic, https=False)
    async with client_of(edge) as opened:
        good = await opened.post("/things", json={"name": "good"})
        assert (good.status_code, good.json()) == (200, {"name": "good"})
        assert good.headers["x-frame-options"] == "DENY"
        broken = await opened.post("/things", json={"name": "broken"})
        assert (broken.status_code, broken.json()["code"]) == (500, "unexpected")


def wants(made: MadeSession, **wish: object) -> dict[str, object]:
    items = [{"ticket_type_id": str(made.types["adult"]), **wish}]
    return {"session_id": str(made.session_id), "items": items}


def told(answer: httpx.Response) -> dict[str, Any]:
    problem: dict[str, Any] = answer.json()
    return {name: value for name, value in problem.items() if name != "request_id"}
