"""Keys that sign access tokens: published before they sign, kept until their tokens are gone, and changed unnoticed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from harness.people import make_person
from harness.web import SECRET_KEY, client_of, make_resources, running_app
from valkey.asyncio import Valkey

from fullhouse.identity.queries import load_signing_keys
from fullhouse.identity.tokens.rotate_signing_keys import (
    make_first_key,
    revoke_signing_key,
    rotate_due_signing_keys,
    rotate_signing_keys,
)
from fullhouse.identity.tokens.signing_keys import SigningKeys
from fullhouse.infra import system
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection, transaction
from fullhouse.infra.resources import Resources
from fullhouse.web.edge import Edge


@pytest.fixture
async def two_processes(fresh_pool: Pool, valkey: Valkey, tmp_path: Path) -> AsyncIterator[list[Edge]]:
    resources: Resources = make_resources(fresh_pool, valkey, tmp_path)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(running_app(resources)) for _ in range(2)]


async def published(client: httpx.AsyncClient) -> list[str]:
    answer = await client.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=300"
    for key in answer.json()["keys"]:
        assert {**key, "x": "", "kid": ""} == {
            "kty": "OKP",
            "crv": "Ed25519",
            "alg": "EdDSA",
            "use": "sig",
            "x": "",
            "kid": "",
        }
    return [key["kid"] for key in answer.json()["keys"]]


async def age(pool: Pool, seconds: int) -> None:
    """Let some time go by for all keys."""
    async with connection(pool, NO_ORGANIZATION) as conn:
        await conn.execute(
            """
            UPDATE signing_keys SET signs_from = signs_from - make_interval(secs => $1),
                verifies_until = verifies_until - make_interval(secs => $1)
            """,
            seconds,
        )


def forget(apps: list[Edge]) -> None:
    """Let both processes read the keys again, as they do after five seconds."""
    for app in apps:
        app.api.state.accounts.means.keys._known = None


async def test_a_rotation_under_requests_fails_none(two_processes: list[Edge], fresh_pool: Pool) -> None:
    stop = asyncio.Event()
    statuses: list[int] = []
    async with client_of(two_processes[0]) as first, client_of(two_processes[1]) as second:
        person = await make_person(two_processes[0], fresh_pool)
        tokens = {"access_token": person.access_token, "refresh_token": person.refresh_token}

        async def keep_asking() -> None:
            while not stop.is_set():
                headers = {"Authorization": f"Bearer {tokens['access_token']}"}
                seen = [await client.get("/api/v1/auth/me", headers=headers) for client in (first, second)]
                statuses.extend(answer.status_code for answer in seen)
                answer = await second.post("/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
                statuses.append(answer.status_code)
                tokens.update(answer.json())

        asking = asyncio.create_task(keep_asking())
        old = await published(first)
        for _ in range(3):
            async with transaction(fresh_pool, NO_ORGANIZATION) as conn:
                await rotate_signing_keys(conn, SECRET_KEY, system.randomness)
            forget(two_processes)
            await asyncio.sleep(0)
            for seconds in (901, 300, 400):
                asked = len(statuses)
                await age(fresh_pool, seconds)
                # One process knows, the other does not yet: both must take what either signs.
                forget(two_processes[1:])
                while len(statuses) < asked + 6 and not asking.done():  # noqa: ASYNC110 (until some were answered)
                    await asyncio.sleep(0.01)
            await rotate_due_signing_keys(fresh_pool, SECRET_KEY, system.randomness)
        stop.set()
        await asking
        forget(two_processes)
        assert len(await published(first)) == 1
        assert not set(await published(first)) & set(old)
    assert set(statuses) == {200}
    assert len(statuses) > 50


async def test_a_key_is_published_before_it_signs_and_stays_until_its_tokens_are_gone(
    two_processes: list[Edge], fresh_pool: Pool
) -> None:
    async with client_of(two_processes[0]) as client:
        (first,) = await published(client)
        async with transaction(fresh_pool, NO_ORGANIZATION) as conn:
            following = await rotate_signing_keys(conn, SECRET_KEY, system.randomness)
            assert (await rotate_signing_keys(conn, SECRET_KEY, system.randomness)).key_id == following.key_id
        forget(two_processes)
        assert await published(client) == [first, following.key_id]
        keys: SigningKeys = two_processes[0].api.state.accounts.means.keys
        assert (await keys.find_signing_key()).key_id == first
        await age(fresh_pool, 901)
        forget(two_processes)
        assert (await keys.find_signing_key()).key_id == following.key_id
        assert await published(client) == [first, following.key_id]
        await age(fresh_pool, 660)
        forget(two_processes)
        assert await published(client) == [following.key_id]


async def test_a_key_that_others_may_know_is_taken_out_of_use(two_processes: list[Edge], fresh_pool: Pool) -> None:
    person = await make_person(two_processes[0], fresh_pool)
    async with client_of(two_processes[0]) as client:
        assert (await client.get("/api/v1/auth/me", headers=person.bearer)).status_code == 200
        (first,) = await published(client)
        async with transaction(fresh_pool, NO_ORGANIZATION) as conn:
            assert await revoke_signing_key(conn, SECRET_KEY, system.randomness, first)
            assert not await revoke_signing_key(conn, SECRET_KEY, system.randomness, first)
        forget(two_processes)
        assert (await client.get("/api/v1/auth/me", headers=person.bearer)).status_code == 401
        body = {"refresh_token": person.refresh_token}
        tokens = (await client.post("/api/v1/auth/refresh", json=body)).json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await client.get("/api/v1/auth/me", headers=headers)).status_code == 200


async def test_a_process_learns_of_a_key_by_the_first_token_that_it_signed(
    two_processes: list[Edge], fresh_pool: Pool
) -> None:
    async with client_of(two_processes[1]) as client:
        assert len(await published(client)) == 1
        (first,) = await published(client)
        async with transaction(fresh_pool, NO_ORGANIZATION) as conn:
            await revoke_signing_key(conn, SECRET_KEY, system.randomness, first)
        forget(two_processes[:1])
        person = await make_person(two_processes[0], fresh_pool)
        assert (await client.get("/api/v1/auth/me", headers=person.bearer)).status_code == 200


async def test_two_processes_that_start_make_one_key(fresh_pool: Pool) -> None:
    barrier = asyncio.Barrier(4)

    async def one() -> None:
        await barrier.wait()
        async with transaction(fresh_pool, NO_ORGANIZATION) as conn:
            await make_first_key(conn, SECRET_KEY, system.randomness)

    await asyncio.gather(*(one() for _ in range(4)))
    async with connection(fresh_pool, NO_ORGANIZATION) as conn:
        stored, _ = await load_signing_keys(conn)
    assert len(stored) == 1
    assert len(stored[0].sealed) == 12 + 32 + 16, "encrypted"


async def test_an_old_key_is_changed_by_age_and_another_secret_makes_another(fresh_pool: Pool) -> None:
    async with transaction(fresh_pool, NO_ORGANIZATION) as conn:
        await make_first_key(conn, SECRET_KEY, system.randomness)
    assert await rotate_due_signing_keys(fresh_pool, SECRET_KEY, system.randomness) == 0
    await age(fresh_pool, 30 * 86_400)
    assert await rotate_due_signing_keys(fresh_pool, SECRET_KEY, system.randomness) == 1
    assert await rotate_due_signing_keys(fresh_pool, SECRET_KEY, system.randomness) == 0
    other = SigningKeys(fresh_pool, b"another secret of the server, long", "http://x", system.now, system.randomness)
    key = await other.find_signing_key()
    assert key.private_key is not None
    assert len(await other.list_keys()) == 3
