"""Budgets on tries: counted before they are made, given back when they succeed, with Valkey and without."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from harness.people import PASSWORD, accounts_of, new_email
from harness.web import client_of
from valkey.asyncio import Valkey

from fullhouse.identity.rules import Client, SignInRefused, TooManyTries
from fullhouse.identity.sign_in import sign_in
from fullhouse.identity.tries import Budget, Tries
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool
from fullhouse.web.edge import Edge

API = "/api/v1/auth"
FAR = Budget("far", 3, 100.0, 400.0, 3_600)


@pytest.fixture
def away() -> Valkey:
    return Valkey.from_url("valkey://127.0.0.1:1")


@pytest.fixture(params=["valkey", "away"])
def tries(request: pytest.FixtureRequest, valkey: Valkey, away: Valkey) -> Tries:
    return Tries(valkey if request.param == "valkey" else away, system.now)


async def refused_after(tries: Tries, subject: str) -> float:
    with pytest.raises(TooManyTries) as refused:
        await tries.begin((FAR, subject))
    seconds = refused.value.fields["retry_after_seconds"]
    assert isinstance(seconds, float)
    return seconds


async def test_some_are_free_then_there_is_a_wait(tries: Tries) -> None:
    subject = system.random_text()
    for _ in range(3):
        await tries.begin((FAR, subject))
    assert 90 < await refused_after(tries, subject) <= 100
    assert 90 < await refused_after(tries, subject) <= 100, "a try that was not heard does not count"
    await tries.begin((FAR, f"{subject} another"))


async def test_of_many_at_once_no_more_are_heard(tries: Tries) -> None:
    subject = system.random_text()
    answers = await asyncio.gather(*(tries.begin((FAR, subject)) for _ in range(20)), return_exceptions=True)
    assert answers.count(None) == 3


async def test_what_succeeded_is_given_back(tries: Tries) -> None:
    subject = system.random_text()
    for _ in range(10):
        await tries.begin((FAR, subject))
        await tries.forgive((FAR, subject))
    for _ in range(3):
        await tries.begin((FAR, subject))
    await tries.forgive((FAR, subject), everything=True)
    for _ in range(3):
        await tries.begin((FAR, subject))
    await refused_after(tries, subject)


async def test_a_budget_is_not_charged_for_what_another_refused(tries: Tries) -> None:
    full, other = system.random_text(), system.random_text()
    for _ in range(3):
        await tries.begin((FAR, full))
    for _ in range(5):
        with pytest.raises(TooManyTries):
            await tries.begin((FAR, other), (FAR, full))
    for _ in range(3):
        await tries.begin((FAR, other))


def test_waits_double_up_to_a_limit() -> None:
    assert [FAR.wait_after(count) for count in (1, 2, 3, 4, 5, 6, 1_000)] == [0, 0, 100, 200, 400, 400, 400]


async def test_waits_grow_and_are_forgotten_without_valkey(away: Valkey) -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)

    def clock() -> datetime:
        return now

    tries = Tries(away, clock)
    for wait in (0, 0, 100, 200, 400, 400):
        await tries.begin((FAR, "x"))
        now += timedelta(seconds=wait)
    now += timedelta(seconds=3_600)
    for _ in range(3):
        await tries.begin((FAR, "x"))


async def test_the_switch_for_load_tests(valkey: Valkey) -> None:
    tries = Tries(valkey, system.now, enabled=False)
    for _ in range(10):
        await tries.begin((FAR, "switched off"))
    await tries.forgive((FAR, "switched off"))


async def login(client: httpx.AsyncClient, email: str, password: str) -> httpx.Response:
    return await client.post(f"{API}/login", json={"email": email, "password": password})


async def test_ten_wrong_passwords_from_one_place_then_a_wait(client: httpx.AsyncClient, app: Edge) -> None:
    email = new_email()
    await client.post(f"{API}/register", json={"email": email, "password": PASSWORD})
    for _ in range(10):
        assert (await login(client, email, "wrong")).status_code == 401
    refused = await login(client, email, PASSWORD)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_tries")
    assert 1 <= int(refused.headers["retry-after"]) <= 5
    async with client_of(app, "203.0.113.77") as elsewhere:
        assert (await login(elsewhere, email, PASSWORD)).status_code == 200, "the owner is somewhere else"


async def test_strangers_everywhere_do_not_lock_out_who_signed_in_from_here_before(app: Edge, pool: Pool) -> None:
    means = accounts_of(app).means
    email = new_email()
    home = Client("203.0.113.80")
    async with client_of(app, home.address) as client:
        await client.post(f"{API}/register", json={"email": email, "password": PASSWORD})
        assert (await login(client, email, PASSWORD)).status_code == 200
    refused: list[type[Exception]] = []
    for number in range(102):
        try:
            await sign_in(pool, means, (email, "a guess"), Client(f"192.0.2.{number}"))
        except (SignInRefused, TooManyTries) as error:
            refused.append(type(error))
    assert refused == [SignInRefused] * 100 + [TooManyTries] * 2
    with pytest.raises(TooManyTries):
        await sign_in(pool, means, (email, PASSWORD), Client("192.0.2.200"))
    assert await sign_in(pool, means, (email, PASSWORD), home)
