"""Budgets at the edge: by purpose, by address, and by who shows a good credential."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from harness.stock import make_session
from harness.web import Seller, make_seller, running_app
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool
from fullhouse.infra.rate_limits import Limiter
from fullhouse.infra.resources import Resources, open_valkey
from fullhouse.settings import BY_ADDRESS, BY_IDENTITY, SettingsError, read_settings
from fullhouse.web.edge import Edge
from fullhouse.web.rate_limits import purpose_of

HERE = "198.51.100.7"
PROXY = "10.0.0.1"
SMALL = "sign_in=3/600,hold=3/600,order_look_up=3/600,scan=3/600,other=3/600"


@asynccontextmanager
async def limited(resources: Resources, **settings: Any) -> AsyncGenerator[Edge]:
    chosen = {"rate_limits_by_address": SMALL, "rate_limits_by_identity": SMALL, **settings}
    async with running_app(resources, **{"rate_limits": True, **chosen}) as app:
        yield app


def client_at(app: Edge, address: str = HERE) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://tickets.example")


@pytest.fixture(autouse=True)
async def empty(valkey: Valkey) -> None:
    await valkey.flushdb()


@pytest.mark.parametrize(
    ("method", "path", "purpose"),
    [
        ("GET", "/healthz", None),
        ("GET", "/readyz", None),
        ("GET", "/metrics", None),
        ("GET", "/static/shop.0123456789ab.css", None),
        ("POST", "/api/v1/auth/login", "sign_in"),
        ("POST", "/api/v1/auth/register", "sign_in"),
        ("POST", "/api/v1/auth/refresh", "sign_in"),
        ("POST", "/api/v1/auth/password/reset", "sign_in"),
        ("POST", "/api/v1/auth/logout", "other"),
        ("GET", "/api/v1/auth/me", "other"),
        ("POST", "/api/v1/reservations", "hold"),
        ("POST", "/api/v1/orders", "hold"),
        ("POST", "/sessions/x", "hold"),
        ("GET", "/api/v1/orders/x", "order_look_up"),
        ("GET", "/api/v1/orders/x/tickets.pdf", "order_look_up"),
        ("GET", "/api/v1/tickets/x/qr.png", "order_look_up"),
        ("GET", "/api/v1/reservations/x", "order_look_up"),
        ("GET", "/orders/x/secret", "order_look_up"),
        ("HEAD", "/orders/x/secret", "order_look_up"),
        ("POST", "/api/v1/tickets/validate", "scan"),
        ("POST", "/api/v1/payments/webhooks/simulated", "notice"),
        ("POST", "/api/v1/orders/x/payments", "other"),
        ("GET", "/api/v1/sessions/x/availability", "other"),
        ("GET", "/", "other"),
        ("GET", "/nothing", "other"),
        ("BREW", "/healthz/", "other"),
    ],
)
def test_each_request_has_one_purpose(method: str, path: str, purpose: str | None) -> None:
    assert purpose_of(method, path) == purpose
    assert purpose is None or (purpose in BY_ADDRESS and purpose in BY_IDENTITY)


async def test_the_fourth_of_three_is_a_problem_that_says_when_to_come_again(resources: Resources) -> None:
    async with limited(resources) as app, client_at(app) as client:
        told = [await client.get("/nothing") for _ in range(3)]
        refused = await client.get("/nothing")
    assert [answer.status_code for answer in told] == [404, 404, 404]
    assert [answer.headers["ratelimit-policy"] for answer in told] == ['"address.other";q=3;w=600'] * 3
    assert [answer.headers["ratelimit"] for answer in told] == [
        '"address.other";r=2;t=400',
        '"address.other";r=1;t=200',
        '"address.other";r=0;t=1',
    ]
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["ratelimit-policy"] == '"address.other";q=3;w=600'
    wait = int(refused.headers["retry-after"])
    assert 190 <= wait <= 200
    assert refused.headers["ratelimit"] == f'"address.other";r=0;t={wait}'
    problem = refused.json()
    assert (problem["code"], problem["status"], problem["retry_after_seconds"]) == ("too_many_requests", 429, wait)
    assert (problem["violated-policies"], problem["limit"]) == (["address.other"], 3)
    assert refused.headers["x-request-id"] == problem["request_id"]
    assert refused.headers["x-content-type-options"] == "nosniff"


async def test_each_purpose_has_its_own_budget_and_health_and_metrics_have_none(
    resources: Resources, pool: Pool
) -> None:
    made = await make_session(pool, capacity=10)
    body = {"session_id": str(made.session_id), "items": [{"ticket_type_id": str(made.types["adult"]), "quantity": 1}]}
    async with limited(resources) as app, client_at(app) as client:
        assert [(await client.get("/nothing")).status_code for _ in range(4)] == [404, 404, 404, 429]
        holds = [(await client.post("/api/v1/reservations", json=body)).status_code for _ in range(4)]
        looks = [(await client.get("/api/v1/orders/x")).status_code for _ in range(4)]
        health = [(await client.get(path)).status_code for path in ("/healthz", "/readyz", "/metrics") * 3]
    assert holds == [201, 201, 201, 429]
    assert looks == [401, 401, 401, 429]
    assert health == [200] * 9


async def test_what_is_refused_takes_nothing(resources: Resources, pool: Pool) -> None:
    made = await make_session(pool, capacity=10)
    body = {"session_id": str(made.session_id), "items": [{"ticket_type_id": str(made.types["adult"]), "quantity": 1}]}
    async with limited(resources) as app, client_at(app) as client:
        statuses = [(await client.post("/api/v1/reservations", json=body)).status_code for _ in range(6)]
        left = (await client.get(f"/api/v1/sessions/{made.session_id}/availability")).json()
    assert statuses == [201, 201, 201, 429, 429, 429]
    assert left["ticket_types"][0]["available"] == 7


async def test_the_door_scans_on_while_its_address_is_flooded(resources: Resources, pool: Pool) -> None:
    seller = await make_seller(pool)
    scan = {"code": "nonsense"}

    async def validate(client: httpx.AsyncClient, credential: str) -> int:
        return (
            await client.post("/api/v1/tickets/validate", json=scan, headers={"Authorization": credential})
        ).status_code

    good = seller.bearer("scanner")["Authorization"]
    async with limited(resources, rate_limits_by_identity="scan=100/600") as app, client_at(app) as client:
        assert await validate(client, good) == 200
        flood = [await client.get("/nothing") for _ in range(10)]
        flood += [await client.post("/api/v1/reservations", json={}) for _ in range(10)]
        forged = [await validate(client, f"Bearer nothing-{number}") for number in range(10)]
        assert flood[-1].status_code == 429
        assert forged[-1] == 429, "the budget of the address for scans is used up too"
        assert [await validate(client, good) for _ in range(20)] == [200] * 20


async def test_a_good_key_has_one_budget_wherever_it_comes_from(resources: Resources, pool: Pool) -> None:
    seller = await make_seller(pool)
    path = f"/api/v1/organizations/{seller.organization_id}"
    async with limited(resources, rate_limits_by_identity="other=5/600") as app:
        answers = []
        for number in range(8):
            async with client_at(app, f"198.51.100.{number}") as client:
                answers.append(await client.get(path, headers=seller.bearer()))
    # The first is counted at its address: nobody knew yet that the key is good.
    assert [answer.status_code for answer in answers] == [200] * 6 + [429] * 2
    assert answers[1].headers["ratelimit-policy"] == '"identity.other";q=5;w=600'
    assert answers[-1].json()["violated-policies"] == ["identity.other"]


async def test_a_revoked_key_counts_at_its_address_again(resources: Resources, pool: Pool) -> None:
    seller: Seller = await make_seller(pool)
    keys = f"/api/v1/organizations/{seller.organization_id}/api-keys"
    path = f"/api/v1/organizations/{seller.organization_id}"
    async with limited(resources, rate_limits_by_address="other=8/600") as app, client_at(app) as client:

        async def budget_of(credential: dict[str, str]) -> tuple[int, str]:
            answer = await client.get(path, headers=credential)
            return answer.status_code, answer.headers["ratelimit-policy"].split(".")[0]

        made = (await client.post(keys, headers=seller.bearer(), json={"name": "x", "role": "manager"})).json()
        issued = {"Authorization": f"Bearer {made['key']}"}
        assert [await budget_of(issued), await budget_of(issued)] == [(200, '"address'), (200, '"identity')]
        assert (await client.delete(f"{keys}/{made['id']}", headers=seller.bearer())).status_code == 204
        assert [await budget_of(issued), await budget_of(issued)] == [(401, '"identity'), (401, '"address')]


async def test_a_holder_polls_on_while_the_address_is_flooded_but_holds_count_at_the_address(
    resources: Resources, pool: Pool
) -> None:
    made = await make_session(pool, capacity=10)
    body = {"session_id": str(made.session_id), "items": [{"ticket_type_id": str(made.types["adult"]), "quantity": 1}]}
    async with limited(resources) as app, client_at(app) as client:
        held = (await client.post("/api/v1/reservations", json=body)).json()
        holder = {"Authorization": f"Reservation {held['token']}"}
        path = f"/api/v1/reservations/{held['id']}"
        assert (await client.get(path, headers=holder)).status_code == 200
        wrong = [
            (await client.get(path, headers={"Authorization": f"Reservation {n:044}"})).status_code for n in range(4)
        ]
        looks = [await client.get(path, headers=holder) for _ in range(4)]
        holds = [await client.post("/api/v1/reservations", json=body, headers=holder) for _ in range(4)]
    assert wrong == [404, 404, 429, 429], "a wrong secret is no identity"
    assert [answer.status_code for answer in looks] == [200, 200, 200, 429]
    assert looks[-1].json()["violated-policies"] == ["identity.order_look_up"]
    assert [answer.status_code for answer in holds] == [201, 201, 201, 429]
    assert holds[0].headers["ratelimit-policy"] == '"identity.hold";q=3;w=600, "address.hold";q=3;w=600'


@pytest.mark.parametrize(
    ("peer", "sent", "counted"),
    [
        (HERE, {"X-Forwarded-For": "203.0.113.{n}"}, "one"),
        (HERE, {"Forwarded": "for=203.0.113.{n}", "X-Real-IP": "203.0.113.{n}"}, "one"),
        (PROXY, {"X-Forwarded-For": "203.0.113.{n}, 198.51.100.9"}, "one"),
        (PROXY, {"X-Forwarded-For": "198.51.100.9", "Forwarded": "for=203.0.113.{n}"}, "one"),
        (PROXY, {"X-Forwarded-For": "2001:db8:1:2::{n}"}, "one"),
        (PROXY, {"X-Forwarded-For": "203.0.113.{n}"}, "each"),
        (PROXY, {"X-Forwarded-For": "1.1.1.1, 203.0.113.{n}, 10.4.4.4"}, "each"),
    ],
)
async def test_an_address_cannot_be_made_up(
    resources: Resources, peer: str, sent: dict[str, str], counted: str
) -> None:
    async with limited(resources, trusted_proxies="10.0.0.0/8") as app, client_at(app, peer) as client:
        statuses = [
            (
                await client.get("/nothing", headers={name: value.format(n=n) for name, value in sent.items()})
            ).status_code
            for n in range(5)
        ]
    assert statuses == ([404, 404, 404, 429, 429] if counted == "one" else [404] * 5)


async def test_without_valkey_the_limit_holds_in_the_process(resources: Resources) -> None:
    away = open_valkey("unix:///nowhere/valkey.sock")
    async with limited(replace(resources, valkey=away)) as app, client_at(app) as client:
        answers = await asyncio.gather(*(client.get("/nothing") for _ in range(20)))
        one_more = await client.get("/nothing")
    assert sorted(answer.status_code for answer in answers) == [404] * 3 + [429] * 17
    assert one_more.status_code == 429
    await away.aclose()


async def test_off_is_off(resources: Resources) -> None:
    async with limited(resources, rate_limits=False) as app, client_at(app) as client:
        answers = [await client.get("/nothing") for _ in range(20)]
        assert not isinstance(app.api.state.limits, Limiter)
    assert {answer.status_code for answer in answers} == {404}
    assert "ratelimit" not in answers[0].headers


def test_the_settings_keep_the_defaults_of_what_is_not_named() -> None:
    settings = read_settings({"FULLHOUSE_RATE_LIMITS_BY_ADDRESS": "hold=5/60"})
    assert settings.rate_limits_by_address.startswith("sign_in=120/60,hold=5/60,order_look_up=1200/60")
    budgets = settings.budgets()
    assert (budgets["address.hold"].quota, budgets["address.scan"].quota) == (5, 6000)
    assert len(budgets) == len(BY_ADDRESS) + len(BY_IDENTITY)


def test_a_wrong_budget_stops_the_start() -> None:
    with pytest.raises(SettingsError, match=r"^FULLHOUSE_RATE_LIMITS_BY_IDENTITY: 'doors' is none of hold, notice"):
        read_settings({"FULLHOUSE_RATE_LIMITS_BY_IDENTITY": "doors=1/60"})
