"""Orders and payments that are answered at a glance: the same answers, rows and refusals as the long way."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from harness.both_ways import Wires, both_ways, request, until_under_way, without_left
from harness.sale import make_sale
from harness.stock import MadeSession
from harness.web import make_resources, running_app
from harness.wire import Answer, connected, limits_of, on_the_wire, read_answer
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool
from fullhouse.orders.placing import order_desk
from fullhouse.orders.rules import OrderNotFound
from fullhouse.web.edge import Edge
from fullhouse.web.meters import METERS

ORDERS = "/api/v1/orders"
ANA = {"email": "ana.souza@example.com", "name": "Ana Souza"}


@pytest.fixture(scope="module")
async def app(pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    folder: Path = tmp_path_factory.mktemp("glance")
    await valkey.flushdb()
    async with running_app(make_resources(pool, valkey, folder), rate_limits=True) as running:
        yield running


@pytest.fixture(scope="module")
async def wires(app: Edge) -> AsyncIterator[Wires]:
    async with both_ways(app) as opened:
        yield opened


@pytest.fixture
async def made(pool: Pool) -> MadeSession:
    return (await make_sale(pool)).made


def read(answer: Answer) -> Any:
    return json.loads(answer[2])


def agree(quick: Answer, slow: Answer, *apart: str) -> bool:
    """Say whether two answers say the same, in the same order, but for some fields."""
    first, second = read(quick), read(slow)
    said = [{name: value for name, value in one.items() if name not in apart} for one in (first, second)]
    return (
        quick[0] == slow[0]
        and list(first) == list(second)
        and said[0] == said[1]
        and without_left(quick[1]).keys() == without_left(slow[1]).keys()
    )


async def hold(wires: Wires, made: MadeSession, quantity: int = 1) -> dict[str, Any]:
    wish = {"ticket_type_id": str(made.types["adult"]), "quantity": quantity}
    body = json.dumps({"session_id": str(made.session_id), "items": [wish]}).encode()
    return read(await wires.ask(request("POST /api/v1/reservations", body)))


def order(held: dict[str, Any], fields: dict[str, str] | None = None, **body: Any) -> bytes:
    wanted = {"reservation_id": held["id"], **ANA, **body}
    sent = {"authorization": f"Reservation {held['token']}", **(fields or {})}
    return request(f"POST {ORDERS}", json.dumps(wanted).encode(), **sent)


def pay(placed: dict[str, Any], fields: dict[str, str] | None = None, **body: Any) -> bytes:
    sent = {"authorization": f"Order {placed['secret']}", **(fields or {})}
    return request(
        f"POST {ORDERS}/{placed['id']}/payments", json.dumps({"provider": "simulated", **body}).encode(), **sent
    )


async def ordered(wires: Wires, made: MadeSession) -> dict[str, Any]:
    return read(await wires.ask(order(await hold(wires, made))))


async def refused_the_long_way(wires: Wires, asked: bytes) -> int:
    """Ask what nothing is answered to at a glance, and return with which status it is refused."""
    before = sum(wires.noting.answered)
    quick, slow = await wires.both(asked)
    assert sum(wires.noting.answered) == before
    assert quick[0] >= 400
    assert agree(quick, slow, "request_id")
    return quick[0]


async def test_an_order_is_answered_alike(wires: Wires, made: MadeSession) -> None:
    portuguese = {"accept_language": "pt-PT, en;q=0.5"}
    quick = await wires.ask(order(await hold(wires, made), portuguese))
    assert wires.noting.answered[-1]
    slow = await wires.ask(order(await hold(wires, made), portuguese), long=True)
    assert quick[0] == 201
    assert agree(quick, slow, "id", "secret", "reference", "reservation_id", "expires_at", "placed_at")
    assert read(quick)["language"] == "pt-BR"
    assert read(quick)["email"] == ANA["email"]


async def test_a_payment_is_answered_alike(pool: Pool, wires: Wires, made: MadeSession) -> None:
    one, other = await ordered(wires, made), await ordered(wires, made)
    quick = await wires.ask(pay(one))
    assert wires.noting.answered[-1]
    slow = await wires.ask(pay(other), long=True)
    assert quick[0] == 201
    assert agree(quick, slow, "id", "order_id", "deadline_at", "started_at")
    rows = await pool.fetch("SELECT provider, attempt FROM payments WHERE organization_id = $1", made.organization_id)
    assert [tuple(row) for row in rows] == [("simulated", 1)] * 2


async def test_a_key_orders_once_and_pays_once_whichever_way_it_comes(
    pool: Pool, wires: Wires, made: MadeSession
) -> None:
    held, key = await hold(wires, made), {"idempotency_key": "once"}
    quick, slow = await wires.both(order(held, key))
    again = await wires.ask(order(held, key))
    assert wires.noting.answered[-1]
    assert slow[2] == again[2]
    assert read(quick) == read(slow)
    assert without_left(slow[1]) == without_left(again[1])
    assert slow[1]["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in quick[1]
    paid, repeated = await wires.both(pay(read(quick), key))
    assert paid[0] == repeated[0] == 201
    assert read(paid)["id"] == read(repeated)["id"]
    assert repeated[1]["idempotency-replayed"] == "true"
    for table in ("orders", "payments"):
        count = await pool.fetchval(f"SELECT count(*) FROM {table} WHERE organization_id = $1", made.organization_id)
        assert count == 1


async def test_refusals_are_answered_alike(wires: Wires, made: MadeSession) -> None:
    held = await hold(wires, made)
    placed = read(await wires.ask(order(held)))
    stranger = {**held, "token": (await hold(wires, made))["token"]}
    nobody = {"id": str(uuid4()), "secret": "s" * 22}
    asked = [
        (order(held), 409, "order_exists"),
        (order(stranger), 404, "reservation_not_found"),
        (order({**held, "token": "no token"}), 404, "reservation_not_found"),
        (order(held, email="nobody"), 422, "invalid"),
        (pay({**placed, "secret": "s" * 22}), 404, "order_not_found"),
        (pay(nobody), 404, "order_not_found"),
        (pay(placed, provider="nobody"), 422, "provider_unknown"),
    ]
    for one, status, code in asked:
        quick, slow = await wires.both(one)
        assert (quick[0], read(quick)["code"]) == (status, code)
        assert agree(quick, slow, "request_id")


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"idempotency_key": "k" * 256}, {}),
        ({"content_type": "text/plain"}, {}),
        ({"authorization": "Bearer nobody"}, {}),
        ({}, {"code": "EARLY"}),
        ({}, {"quantity": 0}),
    ],
)
async def test_an_unusual_order_goes_the_long_way(
    wires: Wires, made: MadeSession, fields: dict[str, str], body: dict[str, Any]
) -> None:
    await refused_the_long_way(wires, order(await hold(wires, made), fields, **body))


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"idempotency_key": "k" * 256}, {}),
        ({"content_type": "text/plain"}, {}),
        ({"authorization": "Bearer nobody"}, {}),
        ({}, {"outcome": "sing"}),
        ({}, {"outcome": "x" * 250}),
    ],
)
async def test_an_unusual_payment_goes_the_long_way(
    wires: Wires, made: MadeSession, fields: dict[str, str], body: dict[str, Any]
) -> None:
    await refused_the_long_way(wires, pay(await ordered(wires, made), fields, **body))


async def test_an_id_that_is_none_goes_the_long_way(wires: Wires, made: MadeSession) -> None:
    assert await refused_the_long_way(wires, pay({**await ordered(wires, made), "id": "7"})) == 422


async def test_who_buys_is_counted_once_and_leaves_nothing_under_way(
    app: Edge, wires: Wires, made: MadeSession
) -> None:
    meters = [METERS.of("POST", ORDERS, 201), METERS.of("POST", f"{ORDERS}/{{order_id}}/payments", 201)]
    before = [meter.count for meter in meters]
    await wires.ask(pay(await ordered(wires, made)))
    assert [meter.count for meter in meters] == [count + 1 for count in before]
    assert app.traffic.in_flight == 0
    assert app.traffic.gate.under_way == 0


async def test_an_order_that_fails_is_a_problem_and_the_connection_goes_on(
    app: Edge, wires: Wires, made: MadeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = await hold(wires, made)

    async def fail(*_request: Any) -> Any:
        raise RuntimeError("a fault of ours")

    async with connected(wires.at_a_glance) as (reader, writer):
        with monkeypatch.context() as patched:
            patched.setattr(app.api.state.order_desk, "place", fail)
            writer.write(order(held))
            status, _, body = await read_answer(reader)
            assert (status, json.loads(body)["code"]) == (500, "unexpected")
        writer.write(order(held))
        assert (await read_answer(reader))[0] == 201
    assert app.traffic.in_flight == 0


async def test_what_is_refused_later_is_a_problem_too(
    app: Edge, wires: Wires, made: MadeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task goes on with what waits for more than a future."""
    held = await hold(wires, made)

    async def refuse(*_request: Any) -> Any:
        await asyncio.sleep(0)
        raise OrderNotFound

    monkeypatch.setattr(app.api.state.order_desk, "place", refuse)
    quick, slow = await wires.both(order(held))
    assert quick[0] == 404
    assert agree(quick, slow, "request_id")


async def test_who_goes_away_keeps_the_order(
    app: Edge, pool: Pool, wires: Wires, made: MadeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = await hold(wires, made)
    go_on, place = asyncio.Event(), order_desk.place_orders

    async def waiting(*batch: Any) -> Any:
        await go_on.wait()
        return await place(*batch)

    monkeypatch.setattr(order_desk, "place_orders", waiting)
    async with on_the_wire(app, limits_of(app)) as (_, port):
        async with connected(port, order(held)):
            await until_under_way(app, 1)
        go_on.set()
        await until_under_way(app, 0)
    count = await pool.fetchval("SELECT count(*) FROM orders WHERE organization_id = $1", made.organization_id)
    assert count == 1
