"""Signing in by OpenID Connect, with a real provider on loopback that also answers badly."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from harness.identity_provider import CLIENT, IdentityProvider, running_provider
from harness.mails import send_account_mails
from harness.people import PASSWORD, new_email
from harness.web import client_of, running_app
from joserfc.jwk import RSAKey

from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection
from fullhouse.infra.resources import Resources
from fullhouse.web.edge import Edge

API = "/api/v1/auth"
CALLBACK = f"{API}/providers/example/callback"


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[IdentityProvider]:
    async with running_provider() as running:
        yield running


@pytest.fixture(scope="module")
async def app(resources: Resources, provider: IdentityProvider) -> AsyncIterator[Edge]:
    listed = [{"name": "example", "issuer": provider.issuer, "client_id": CLIENT[0], "client_secret": CLIENT[1]}]
    async with running_app(resources, identity_providers=json.dumps(listed)) as running:
        yield running


@pytest.fixture
def person(provider: IdentityProvider) -> dict[str, Any]:
    email = new_email("rui")
    provider.person = {"sub": f"of {email}", "email": email, "email_verified": True, "name": "Rui Lopes"}
    provider.changes, provider.signs_with, provider.algorithm = {}, None, "RS256"
    return provider.person


async def begin(client: httpx.AsyncClient, provider: IdentityProvider) -> dict[str, str]:
    begun = await client.post(f"{API}/providers/example")
    assert begun.status_code == 200, begun.text
    code, state = provider.agree(begun.json()["authorization_url"])
    return {"code": code, "state": state}


async def enter(client: httpx.AsyncClient, provider: IdentityProvider) -> httpx.Response:
    return await client.get(CALLBACK, params=await begin(client, provider))


async def me(client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    found: dict[str, Any] = (await client.get(f"{API}/me", headers=headers)).json()
    return found


async def test_the_ways_in_are_listed(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{API}/providers")).json() == {"items": [{"name": "example", "title": "Example"}]}
    assert (await client.post(f"{API}/providers/nobody")).json()["code"] == "identity_provider_not_found"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_somebody_new_gets_an_account_and_finds_it_again(
    client: httpx.AsyncClient, provider: IdentityProvider, person: dict[str, Any], algorithm: str
) -> None:
    provider.algorithm = algorithm
    first = await enter(client, provider)
    assert first.status_code == 200, first.text
    found = await me(client, first)
    assert (found["email"], found["email_verified"], found["name"]) == (person["email"], True, "Rui Lopes")
    provider.person["email"], provider.person["email_verified"] = new_email("changed"), False
    again = await client.post(CALLBACK, json=await begin(client, provider))
    assert (await me(client, again))["id"] == found["id"], "the subject names them, not the address"


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"nonce": ...},
        {"aud": "somebody else"},
        {"aud": ["somebody else", "third"]},
        {"aud": ["fullhouse", "third"], "azp": "third"},
        {"iss": "https://elsewhere.example"},
        {"iss": ...},
        {"exp": 1},
        {"exp": ...},
        {"sub": ...},
        {"sub": ""},
        {"sub": 1},
        {"iat": 9_999_999_999},
    ],
)
async def test_a_token_that_is_not_for_this_attempt_is_refused(
    client: httpx.AsyncClient, provider: IdentityProvider, person: dict[str, Any], pool: Pool, changes: dict[str, Any]
) -> None:
    provider.changes = changes
    answer = await enter(client, provider)
    assert (answer.status_code, answer.json()["code"]) == (401, "identity_provider_refused")
    async with connection(pool, NO_ORGANIZATION) as conn:
        assert await conn.fetchval("SELECT count(*) FROM users WHERE email = $1", person["email"]) == 0


async def test_a_signature_by_another_key_is_refused(
    client: httpx.AsyncClient, provider: IdentityProvider, person: dict[str, Any]
) -> None:
    assert person
    provider.signs_with = RSAKey.generate_key(2048)
    assert (await enter(client, provider)).json()["code"] == "identity_provider_refused"


async def test_keys_that_the_provider_changed_are_read_anew(
    client: httpx.AsyncClient, provider: IdentityProvider, person: dict[str, Any]
) -> None:
    assert person
    assert (await enter(client, provider)).status_code == 200
    provider.keys["RS256"] = RSAKey.generate_key(2048, {"kid": "rsa-2", "use": "sig"})
    assert (await enter(client, provider)).status_code == 200


async def test_an_address_that_was_not_verified_opens_no_account(
    client: httpx.AsyncClient, provider: IdentityProvider, person: dict[str, Any]
) -> None:
    for verified in (False, "true", ...):
        provider.changes = {"email_verified": verified}
        answer = await enter(client, provider)
        assert (answer.status_code, answer.json()["code"]) == (401, "provider_email_unverified")
    provider.changes = {"email": ...}
    assert (await enter(client, provider)).json()["code"] == "provider_email_unverified"
    assert person


async def test_an_answer_counts_once_and_only_in_the_browser_that_began(
    app: Edge, client: httpx.AsyncClient, provider: IdentityProvider, person: dict[str, Any]
) -> None:
    assert person
    returned = await begin(client, provider)
    assert (await client.get(CALLBACK, params=returned)).status_code == 200
    code, _ = provider.agree(f"{provider.issuer}/authorize?response_type=code&state=x&code_challenge_method=S256")
    for replayed in (returned, {**returned, "code": code}, {"code": "x", "state": "unknown"}, {"state": "x"}, {}):
        answer = await client.get(CALLBACK, params=replayed)
        assert (answer.status_code, answer.json()["code"]) == (401, "identity_provider_refused")
    planted = await begin(client, provider)
    async with client_of(app, "203.0.113.200") as victim:
        assert (await victim.get(CALLBACK, params=planted)).status_code == 401
    assert (await client.get(CALLBACK, params=planted)).status_code == 401, "it was used up by the try"


async def test_the_account_of_an_address_is_linked_and_its_owner_told(
    client: httpx.AsyncClient, provider: IdentityProvider, person: dict[str, Any], pool: Pool, resources: Resources
) -> None:
    credentials = {"email": person["email"], "password": PASSWORD}
    await client.post(f"{API}/register", json=credentials)
    async with connection(pool, NO_ORGANIZATION) as conn:
        await conn.execute("UPDATE users SET email_verified_at = clock_timestamp() WHERE email = $1", person["email"])
    before = await me(client, await client.post(f"{API}/login", json=credentials))
    assert (await me(client, await enter(client, provider)))["id"] == before["id"]
    assert (await client.post(f"{API}/login", json=credentials)).status_code == 200, "the password stays"
    subjects = [mail["Subject"] for mail in await send_account_mails(pool, resources, person["email"])]
    assert "A new way to sign in" in subjects


async def test_what_a_stranger_prepared_in_an_unverified_account_is_gone(
    client: httpx.AsyncClient, provider: IdentityProvider, person: dict[str, Any]
) -> None:
    credentials = {"email": person["email"], "password": PASSWORD}
    await client.post(f"{API}/register", json=credentials)
    stranger = (await client.post(f"{API}/login", json=credentials)).json()
    assert (await enter(client, provider)).status_code == 200
    assert (await client.post(f"{API}/login", json=credentials)).status_code == 401
    refreshed = await client.post(f"{API}/refresh", json={"refresh_token": stranger["refresh_token"]})
    assert refreshed.status_code == 401
