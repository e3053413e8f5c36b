"""Requests that are answered at a glance: the same answers as the long way, with the same ids, limits and counts."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from harness.both_ways import Wires, both_ways, common, request, until_under_way
from harness.stock import MadeSession, counters, make_session
from harness.web import running_app
from harness.wire import connected, limits_of, on_the_wire, read_answer
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool
from fullhouse.infra.resources import Resources
from fullhouse.reservations.ahead import write_flights
from fullhouse.web.edge import Edge
from fullhouse.web.meters import METERS

HOLDS = "/api/v1/reservations"


@pytest.fixture(scope="module")
async def wires(app: Edge) -> AsyncIterator[Wires]:
    async with both_ways(app) as opened:
        yield opened


def hold(made: MadeSession, quantity: int = 1, **fields: str) -> bytes:
    return hold_with(made, fields, quantity)


def hold_with(made: MadeSession, fields: Mapping[str, str], quantity: int = 1) -> bytes:
    wish = {"ticket_type_id": str(made.types["adult"]), "quantity": quantity}
    body = json.dumps({"session_id": str(made.session_id), "items": [wish]}).encode()
    return request(f"POST {HOLDS}", body, **fields)


async def warmed(pool: Pool, wires: Wires, capacity: int = 10) -> MadeSession:
    """Make a session of which the process knows whose it is."""
    made = await make_session(pool, capacity=capacity)
    assert (await wires.ask(hold(made)))[0] == 201
    assert not wires.noting.answered[-1], "nobody knew whose session it is"
    return made


async def test_a_hold_is_answered_alike(pool: Pool, wires: Wires) -> None:
    made = await warmed(pool, wires)
    quick, slow = await wires.both(hold(made))
    assert wires.noting.answered[-1]
    assert quick[0] == slow[0] == 201
    first, second = json.loads(quick[2]), json.loads(slow[2])
    apart = {"id", "token", "expires_at"}
    assert list(first) == list(second)
    assert {name: first[name] for name in first.keys() - apart} == {name: second[name] for name in first.keys() - apart}
    assert common(quick[1]).keys() == common(slow[1]).keys()
    assert await counters(pool, made) == (10, 3, 0, 0)


async def test_a_key_is_heard_once_whichever_way_it_comes(pool: Pool, wires: Wires) -> None:
    made = await warmed(pool, wires)
    quick, slow = await wires.both(hold(made, idempotency_key="once"))
    again = await wires.ask(hold(made, idempotency_key="once"))
    assert wires.noting.answered[-1]
    assert quick[2] == slow[2] == again[2]
    assert common(slow[1]) == common(again[1])
    assert slow[1]["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in quick[1]
    assert await counters(pool, made) == (10, 2, 0, 0)
    quick, slow = await wires.both(hold(made, quantity=2, idempotency_key="once"))
    assert quick[0] == slow[0] == 422
    assert json.loads(quick[2])["code"] == json.loads(slow[2])["code"] == "idempotency_key_reused"


@pytest.mark.parametrize("key", [{}, {"idempotency_key": "lost"}])
async def test_a_refusal_is_answered_alike(pool: Pool, wires: Wires, key: dict[str, str]) -> None:
    made = await warmed(pool, wires, capacity=1)
    await wires.ask(hold(made))
    quick, slow = await wires.both(hold_with(made, {"x_request_id": "a-lost-one", **key}))
    assert wires.noting.answered[-1]
    assert quick[0] == slow[0] == 409
    assert json.loads(quick[2]) == json.loads(slow[2])
    assert json.loads(quick[2])["code"] == "sold_out"
    assert json.loads(quick[2])["request_id"] == quick[1]["x-request-id"] == "a-lost-one"
    assert common(quick[1]) == common(slow[1]) if not key else "idempotency-replayed" in slow[1]


@pytest.mark.parametrize(
    "fields",
    [
        {"idempotency_key": "k" * 256},
        {"content_type": "text/plain"},
        {"content_type": "application/json; charset=utf-8"},
        {"connection": "close"},
    ],
)
async def test_what_is_unusual_goes_the_long_way(pool: Pool, wires: Wires, fields: dict[str, str]) -> None:
    made = await warmed(pool, wires)
    before = sum(wires.noting.answered)
    quick, slow = await wires.both(hold_with(made, fields))
    assert sum(wires.noting.answered) == before
    assert quick[0] == slow[0]
    assert common(quick[1]).keys() == common(slow[1]).keys()


@pytest.mark.parametrize("body", [b"{}", b"[" * 70 + b"]" * 70, b"{", b'{"session_id": 7, "items": []}'])
async def test_what_is_wrong_goes_the_long_way(wires: Wires, body: bytes) -> None:
    asked = request(f"POST {HOLDS}", body, x_request_id="wrong")
    quick, slow = await wires.both(asked)
    assert not wires.noting.answered[-1]
    assert (quick[0], common(quick[1]), quick[2]) == (slow[0], common(slow[1]), slow[2])


async def test_availability_is_answered_alike(pool: Pool, wires: Wires) -> None:
    made = await make_session(pool, capacity=5)
    path = f"GET /api/v1/sessions/{made.session_id}/availability"
    first = await wires.ask(request(path))
    assert not wires.noting.answered[-1], "nobody had looked"
    quick, slow = await wires.both(request(path))
    assert wires.noting.answered[-1]
    assert (quick[0], common(quick[1]), quick[2]) == (slow[0], common(slow[1]), slow[2])
    assert quick[2] == first[2]
    quick, slow = await wires.both(request(path, if_none_match=f'"other", {first[1]["etag"]}'))
    assert (quick[0], common(quick[1]), quick[2]) == (slow[0], common(slow[1]), slow[2])
    assert (quick[0], quick[2]) == (304, b"")
    quick, slow = await wires.both(request(path, authorization="Bearer nobody"))
    assert quick[0] == slow[0] == 401
    assert not wires.noting.answered[-1]
    quick, slow = await wires.both(request(path.replace(str(made.session_id), "x")))
    assert quick[0] == slow[0] == 422


async def test_what_was_held_is_seen_at_once(pool: Pool, wires: Wires) -> None:
    made = await warmed(pool, wires, capacity=5)
    path = request(f"GET /api/v1/sessions/{made.session_id}/availability")
    left = [json.loads((await wires.ask(path))[2])]
    await wires.ask(hold(made))
    left.append(json.loads((await wires.ask(path))[2]))
    assert [one["version"] for one in left] == sorted({one["version"] for one in left})


async def test_each_is_counted_once(pool: Pool, wires: Wires, app: Edge) -> None:
    made = await warmed(pool, wires)
    meter = METERS.of("POST", HOLDS, 201)
    before = meter.count
    await wires.ask(hold(made))
    assert wires.noting.answered[-1]
    assert meter.count == before + 1
    assert app.traffic.in_flight == 0
    assert app.traffic.gate.under_way == 0


async def test_who_goes_away_keeps_the_hold_and_a_server_that_stops_answers_first(
    pool: Pool, wires: Wires, app: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await warmed(pool, wires)
    go_on, write = asyncio.Event(), write_flights.write_flight

    async def waiting(*flight: Any) -> Any:
        await go_on.wait()
        return await write(*flight)

    monkeypatch.setattr(write_flights, "write_flight", waiting)
    async with on_the_wire(app, limits_of(app)) as (server, port):
        async with connected(port, hold(made)):
            await until_under_way(app, 1)
        async with connected(port, hold(made)) as (reader, writer):
            await until_under_way(app, 2)
            writer.write(hold(made))
            for connection in list(server.server_state.connections):
                connection.shutdown()
            go_on.set()
            answer = await read_answer(reader)
            assert (answer[0], answer[1]["connection"]) == (201, "close")
            assert await reader.read() == b""
    await until_under_way(app, 0)
    assert await counters(pool, made) == (10, 3, 0, 0)


async def test_what_fails_is_a_problem_and_the_connection_goes_on(
    pool: Pool, wires: Wires, app: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await warmed(pool, wires)

    def fail(*_request: Any) -> Any:
        raise RuntimeError("a fault of ours")

    async with connected(wires.at_a_glance) as (reader, writer):
        with monkeypatch.context() as patched:
            patched.setattr(app.api.state.box_office, "ask", fail)
            writer.write(hold(made))
            status, _, body = await read_answer(reader)
            assert (status, json.loads(body)["code"]) == (500, "unexpected")
        writer.write(hold(made))
        assert (await read_answer(reader))[0] == 201


async def test_budgets_hold_whichever_way_requests_come(pool: Pool, resources: Resources, valkey: Valkey) -> None:
    await valkey.flushdb()
    made = await make_session(pool, capacity=100)
    small = {"rate_limits": True, "rate_limits_by_address": "hold=400/60"}
    async with (
        running_app(resources, **small) as app,
        on_the_wire(app, limits_of(app)) as (_, port),
        connected(port) as (reader, writer),
    ):
        left: list[int] = []
        for _ in range(20):
            writer.write(hold(made))
            status, headers, _ = await read_answer(reader)
            assert status == 201
            assert headers["ratelimit-policy"] == '"address.hold";q=400;w=60'
            left.append(int(headers["ratelimit"].split(";")[1].removeprefix("r=")))
        assert left == sorted(left, reverse=True)
    assert await counters(pool, made) == (100, 20, 0, 0)
