"""Registering, signing in, and what neither tells a stranger."""

import asyncio
from collections.abc import Awaitable

import httpx
import pytest
from harness.people import PASSWORD, accounts_of, make_person, new_email
from harness.pools import open_owners_pool
from harness.web import Seller, client_of, make_seller, running_app

from fullhouse.identity.open_link import ask_for_link
from fullhouse.identity.passwords import NOBODYS_HASH, Passwords, PasswordsBusy, is_outdated
from fullhouse.identity.register_user import Registration, register_user
from fullhouse.identity.rules import Client
from fullhouse.infra import system
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection
from fullhouse.infra.resources import Resources
from fullhouse.web.edge import Edge

API = "/api/v1/auth"


@pytest.fixture(scope="module")
async def seller(pool: Pool) -> Seller:
    return await make_seller(pool)


async def register(client: httpx.AsyncClient, email: str, **changes: str) -> httpx.Response:
    return await client.post(f"{API}/register", json={"email": email, "password": PASSWORD, **changes})


async def login(client: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post(f"{API}/login", json={"email": email, "password": password})


async def test_who_registers_signs_in_and_is_known(client: httpx.AsyncClient) -> None:
    email = new_email()
    registered = await register(client, email, name="Ana Souza", language="pt-BR")
    assert (registered.status_code, registered.json()) == (201, {"email": email, "name": "Ana Souza"})
    signed_in = await login(client, email.upper())
    assert signed_in.status_code == 200
    tokens = signed_in.json()
    assert (tokens["token_type"], tokens["expires_in"], tokens["refresh_expires_in"]) == ("Bearer", 600, 14 * 86_400)
    me = await client.get(f"{API}/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.status_code == 200
    found = me.json()
    assert found.pop("id")
    assert found.pop("created_at")
    assert found == {
        "email": email,
        "email_verified": False,
        "name": "Ana Souza",
        "language": "pt-BR",
        "second_factor": False,
    }


async def test_the_password_is_stored_as_argon2id_with_the_parameters_of_owasp(
    client: httpx.AsyncClient, pool: Pool
) -> None:
    email = new_email()
    await register(client, email)
    async with connection(pool, NO_ORGANIZATION) as conn:
        stored = await conn.fetchval("SELECT password_hash FROM users WHERE email = $1", email)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not is_outdated(NOBODYS_HASH), "it must take as long as any other"


async def test_a_hash_with_old_parameters_is_made_anew(client: httpx.AsyncClient, pool: Pool) -> None:
    from argon2 import PasswordHasher  # noqa: PLC0415

    email = new_email()
    await register(client, email)
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    async with connection(pool, NO_ORGANIZATION) as conn:
        await conn.execute("UPDATE users SET password_hash = $2 WHERE email = $1", email, weak)
    assert (await login(client, email, "something else")).status_code == 401
    assert (await login(client, email)).status_code == 200
    async with connection(pool, NO_ORGANIZATION) as conn:
        stored = await conn.fetchval("SELECT password_hash FROM users WHERE email = $1", email)
    assert not is_outdated(stored)
    assert (await login(client, email)).status_code == 200


async def test_registering_again_answers_the_same_and_changes_nothing(client: httpx.AsyncClient, pool: Pool) -> None:
    email = new_email()
    first = await register(client, email, name="Ana Souza")
    again = await register(client, email.title(), name="Ana Souza", password="another good password")
    assert (again.status_code, set(again.json())) == (first.status_code, set(first.json()))
    assert (await login(client, email, "another good password")).status_code == 401
    assert (await login(client, email)).status_code == 200
    async with connection(pool, NO_ORGANIZATION) as conn:
        assert await conn.fetchval("SELECT count(*) FROM users WHERE lower(email) = lower($1)", email) == 1


async def test_two_who_register_an_address_at_once_make_one_account(client: httpx.AsyncClient, pool: Pool) -> None:
    email = new_email()
    answers = await asyncio.gather(*(register(client, email, password=f"{PASSWORD} {n}") for n in range(6)))
    assert {answer.status_code for answer in answers} == {201}
    async with connection(pool, NO_ORGANIZATION) as conn:
        assert await conn.fetchval("SELECT count(*) FROM users WHERE lower(email) = lower($1)", email) == 1
    entered = [await login(client, email, f"{PASSWORD} {n}") for n in range(6)]
    assert [answer.status_code for answer in entered].count(200) == 1


async def test_a_wrong_password_and_an_unknown_address_hear_the_same(client: httpx.AsyncClient, pool: Pool) -> None:
    known, unknown, elsewhere = new_email(), new_email(), new_email()
    await register(client, known)
    async with connection(pool, NO_ORGANIZATION) as conn:
        await conn.execute("INSERT INTO users (user_id, email, name) VALUES ($1, $2, '')", system.make_id(), elsewhere)
    answers = [await login(client, email, "not the password") for email in (known, unknown, elsewhere)]
    assert {answer.status_code for answer in answers} == {401}
    bodies = [{k: v for k, v in answer.json().items() if k != "request_id"} for answer in answers]
    assert bodies[0] == bodies[1] == bodies[2]
    assert bodies[0]["code"] == "sign_in_refused"


async def test_an_unknown_address_costs_a_whole_hash(
    app: Edge, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str | None] = []
    passwords = accounts_of(app).means.passwords
    verify = passwords.verify_password

    async def counted(stored: str | None, password: str) -> bool:
        verified.append(stored)
        return await verify(stored, password)

    monkeypatch.setattr(passwords, "verify_password", counted)
    assert (await login(client, new_email())).status_code == 401
    assert verified == [None]


async def test_registering_and_asking_for_links_cost_the_same_whoever_has_an_account(
    app: Edge, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    means = accounts_of(app).means
    done: list[str] = []
    hash_password = means.passwords.hash_password

    async def counted(password: str) -> str:
        done.append("hash")
        return await hash_password(password)

    monkeypatch.setattr(means.passwords, "hash_password", counted)
    known, client = new_email(), Client("203.0.113.77")
    own = await open_owners_pool(database_url, size_max=1)
    async with own.acquire() as conn:
        conn.add_query_logger(lambda record: done.append(record.query))

    async def cost_of(work: Awaitable[None]) -> list[str]:
        done.clear()
        await work
        return [*done]

    async def costs(email: str) -> list[list[str]]:
        return [
            await cost_of(register_user(own, means, Registration(email, PASSWORD, "Ana Souza", "en"), client)),
            await cost_of(ask_for_link(own, means, "set_password", email, client)),
            await cost_of(ask_for_link(own, means, "verify_email", email, client)),
        ]

    await costs(new_email())  # the connection learns its types
    of_stranger, of_owner = await costs(known), await costs(known)
    await own.close()
    assert of_stranger == of_owner
    assert [one.count("hash") for one in of_owner] == [1, 0, 0]
    assert all(len(one) > 2 for one in of_owner)


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("seven77", "8 to 256 characters"),
        ("password1", "among the first"),
        ("PASSWORD1", "among the first"),
        ("ｐａｓｓｗｏｒｄ１", "among the first"),
        ("aaaaaaaaaaaaaa", "among the first"),
    ],
)
async def test_a_password_that_anyone_would_guess_is_refused(
    client: httpx.AsyncClient, pool: Pool, password: str, message: str
) -> None:
    email = new_email()
    answer = await register(client, email, password=password)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "password")
    assert message in answer.json()["errors"][0]["message"]
    assert password not in answer.text
    async with connection(pool, NO_ORGANIZATION) as conn:
        assert await conn.fetchval("SELECT count(*) FROM users WHERE email = $1", email) == 0


async def test_the_address_is_no_password(client: httpx.AsyncClient) -> None:
    email = new_email("somebody")
    assert (await register(client, email, password=email.upper())).status_code == 422


async def test_a_password_is_the_same_however_a_keyboard_writes_it(client: httpx.AsyncClient) -> None:
    email = new_email()
    await register(client, email, password="caf\u00e9 da manh\u00e3")
    assert (await login(client, email, "cafe\u0301 da manha\u0303")).status_code == 200
    assert (await login(client, email, "cafe da manha")).status_code == 401


async def test_where_addresses_must_be_verified_nobody_else_signs_in(resources: Resources, pool: Pool) -> None:
    email = new_email()
    async with running_app(resources, sign_in_unverified=False) as app, client_of(app, "203.0.113.9") as client:
        await register(client, email)
        refused = await login(client, email)
        assert (refused.status_code, refused.json()["code"]) == (401, "sign_in_refused")
        async with connection(pool, NO_ORGANIZATION) as conn:
            await conn.execute("UPDATE users SET email_verified_at = clock_timestamp() WHERE email = $1", email)
        assert (await login(client, email)).status_code == 200


async def test_more_than_a_process_can_hash_is_asked_to_come_again() -> None:
    passwords = Passwords(system.randomness, running_max=1, waiting_max=2)
    try:
        asked = [passwords.verify_password(None, "x") for _ in range(10)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(answer, PasswordsBusy) for answer in answers].count(True) == 7
        assert [answer for answer in answers if not isinstance(answer, PasswordsBusy)] == [False] * 3
        assert not await passwords.verify_password(None, "x"), "there is room again"
    finally:
        passwords.close()


async def test_me_is_for_people(app: Edge, pool: Pool, client: httpx.AsyncClient, seller: Seller) -> None:
    assert (await client.get(f"{API}/me")).json()["code"] == "credential_missing"
    for text in ("fh_x", "x", "a.b.c", "Bearer"):
        answer = await client.get(f"{API}/me", headers={"Authorization": f"Bearer {text}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "credential_unknown")
        assert answer.headers["www-authenticate"] == 'Bearer realm="fullhouse"'
    answer = await client.get(f"{API}/me", headers=seller.bearer())
    assert (answer.status_code, answer.json()["code"]) == (403, "user_needed")
    person = await make_person(app, pool, second_factor=True)
    me = (await client.get(f"{API}/me", headers=person.bearer)).json()
    assert (me["id"], me["email_verified"], me["second_factor"]) == (str(person.user_id), True, True)
