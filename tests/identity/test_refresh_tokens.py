"""Staying signed in: each refresh token is good once, and a second use ends the sign-in."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from harness.people import Person, accounts_of, family_of, make_person

from fullhouse.core.secrets import hash_secret
from fullhouse.identity import find_signed_in
from fullhouse.identity.refresh_tokens import RETRY_SECONDS_MAX, refresh_tokens
from fullhouse.identity.rules import Client, RefreshRefused
from fullhouse.identity.tokens.access_token import AccessClaims, UnverifiedToken, verify_token
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection
from fullhouse.web.edge import Edge

API = "/api/v1/auth"


@pytest.fixture
async def person(app: Edge, pool: Pool) -> Person:
    return await make_person(app, pool)


async def refresh(client: httpx.AsyncClient, token: str, **headers: str) -> httpx.Response:
    return await client.post(f"{API}/refresh", json={"refresh_token": token}, headers=headers)


async def test_a_refresh_gives_the_next_pair(client: httpx.AsyncClient, pool: Pool, person: Person) -> None:
    first = await refresh(client, person.refresh_token)
    assert first.status_code == 200
    second = await refresh(client, first.json()["refresh_token"])
    tokens = second.json()
    assert len({person.refresh_token, first.json()["refresh_token"], tokens["refresh_token"]}) == 3
    me = await client.get(f"{API}/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.json()["email"] == person.email
    row = await family_of(pool, person.family_id)
    assert (row["generation"], row["token_hash"]) == (3, hash_secret(tokens["refresh_token"]))


async def test_only_a_hash_is_stored(pool: Pool, person: Person) -> None:
    row = await family_of(pool, person.family_id)
    assert person.refresh_token not in str(dict(row))
    assert person.refresh_token[4:40] not in str(dict(row))


async def test_reuse_ends_the_sign_in_for_both(client: httpx.AsyncClient, app: Edge, person: Person) -> None:
    following = (await refresh(client, person.refresh_token)).json()
    again = await refresh(client, person.refresh_token)
    assert (again.status_code, again.json()["code"]) == (401, "refresh_refused")
    assert (await refresh(client, following["refresh_token"])).status_code == 401
    accounts_of(app).signed_in.forget(person.family_id)
    for token in (person.access_token, following["access_token"]):
        assert (await client.get(f"{API}/me", headers={"Authorization": f"Bearer {token}"})).status_code == 401


async def test_an_answer_that_was_lost_is_repeated_to_its_idempotency_key(
    client: httpx.AsyncClient, pool: Pool, person: Person
) -> None:
    first = await refresh(client, person.refresh_token, **{"Idempotency-Key": "k-1"})
    again = await refresh(client, person.refresh_token, **{"Idempotency-Key": "k-1"})
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert "idempotency-replayed" not in first.headers
    assert again.json()["refresh_token"] == first.json()["refresh_token"]
    assert (await family_of(pool, person.family_id))["generation"] == 2
    assert (await refresh(client, again.json()["refresh_token"])).status_code == 200


async def test_another_key_a_used_successor_and_a_late_retry_are_reuse(
    app: Edge, client: httpx.AsyncClient, pool: Pool
) -> None:
    other, used, late = [await make_person(app, pool) for _ in range(3)]
    key = {"Idempotency-Key": "k-1"}
    assert (await refresh(client, other.refresh_token, **key)).status_code == 200
    assert (await refresh(client, other.refresh_token, **{"Idempotency-Key": "k-2"})).status_code == 401
    following = (await refresh(client, used.refresh_token, **key)).json()["refresh_token"]
    await refresh(client, following)
    assert (await refresh(client, used.refresh_token, **key)).status_code == 401
    await refresh(client, late.refresh_token, **key)
    async with connection(pool, NO_ORGANIZATION) as conn:
        await conn.execute(
            "UPDATE token_families SET refreshed_at = refreshed_at - make_interval(secs => $2) WHERE family_id = $1",
            late.family_id,
            RETRY_SECONDS_MAX + 1,
        )
    assert (await refresh(client, late.refresh_token, **key)).status_code == 401
    for person in (other, used, late):
        assert (await family_of(pool, person.family_id))["revoked_at"] is not None


async def test_of_two_refreshes_at_once_one_wins_and_the_sign_in_ends(app: Edge, pool: Pool, person: Person) -> None:
    means = accounts_of(app).means
    barrier = asyncio.Barrier(2)

    async def one() -> object:
        await barrier.wait()
        try:
            return await refresh_tokens(pool, means, person.refresh_token, Client("192.0.2.1"))
        except RefreshRefused as refused:
            return refused

    answers = await asyncio.gather(one(), one())
    assert [isinstance(answer, RefreshRefused) for answer in answers].count(True) == 1
    row = await family_of(pool, person.family_id)
    assert (row["generation"], row["revoked_at"] is None) == (2, False)


async def test_two_retries_at_once_with_one_key_get_one_answer(app: Edge, pool: Pool, person: Person) -> None:
    means = accounts_of(app).means
    barrier = asyncio.Barrier(2)

    async def one() -> tuple[str, bool]:
        await barrier.wait()
        tokens, repeated = await refresh_tokens(pool, means, person.refresh_token, Client("192.0.2.1"), "k")
        return tokens.refresh_token, repeated

    (first, first_again), (second, second_again) = await asyncio.gather(one(), one())
    assert first == second
    assert {first_again, second_again} == {True, False}
    assert (await family_of(pool, person.family_id))["revoked_at"] is None


@pytest.mark.parametrize("text", ["x", "fhr_", "fhr_" + "A" * 59, "fhr_" + "A" * 60, "ü" * 63, "a.b.c", "fh_x"])
async def test_what_was_never_given_out_opens_nothing(client: httpx.AsyncClient, text: str) -> None:
    answer = await refresh(client, text)
    assert (answer.status_code, answer.json()["code"]) == (401, "refresh_refused")


async def test_a_changed_token_opens_nothing_and_ends_nothing(
    client: httpx.AsyncClient, pool: Pool, person: Person
) -> None:
    token = person.refresh_token
    for place in (4, 24, 30, 40, 62):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert (await refresh(client, changed)).status_code == 401
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    respelled = token[:-1] + letters[letters.index(token[-1]) ^ 1]
    assert (await refresh(client, respelled)).status_code == 401, "the same bytes in another spelling"
    assert (await refresh(client, person.access_token)).status_code == 401
    assert (await family_of(pool, person.family_id))["revoked_at"] is None
    assert (await refresh(client, token)).status_code == 200


async def test_a_sign_in_ends_when_idle_and_in_any_case_at_last(
    app: Edge, client: httpx.AsyncClient, pool: Pool
) -> None:
    idle, old = [await make_person(app, pool) for _ in range(2)]
    async with connection(pool, NO_ORGANIZATION) as conn:
        await conn.execute(
            "UPDATE token_families SET expires_at = clock_timestamp() WHERE family_id = $1", idle.family_id
        )
        await conn.execute(
            "UPDATE token_families SET created_at = created_at - interval '89 days' WHERE family_id = $1",
            old.family_id,
        )
    assert (await refresh(client, idle.refresh_token)).status_code == 401
    tokens = (await refresh(client, old.refresh_token)).json()
    assert 86_000 < tokens["refresh_expires_in"] <= 86_400


async def test_an_access_token_ends_no_later_than_its_sign_in(
    client: httpx.AsyncClient, pool: Pool, person: Person
) -> None:
    async with connection(pool, NO_ORGANIZATION) as conn:
        await conn.execute(
            """
            UPDATE token_families SET created_at = clock_timestamp() - interval '90 days' + interval '30 seconds'
            WHERE family_id = $1
            """,
            person.family_id,
        )
    tokens = (await refresh(client, person.refresh_token)).json()
    assert 25 <= tokens["expires_in"] <= 30


async def test_signing_out_ends_both_tokens(app: Edge, client: httpx.AsyncClient, pool: Pool) -> None:
    by_access, by_refresh = [await make_person(app, pool) for _ in range(2)]
    assert (await client.get(f"{API}/me", headers=by_refresh.bearer)).status_code == 200
    assert (await client.post(f"{API}/logout", headers=by_access.bearer)).status_code == 204
    body = {"refresh_token": by_refresh.refresh_token}
    assert (await client.post(f"{API}/logout", json=body)).status_code == 204
    assert (await client.post(f"{API}/logout", json=body)).status_code == 204, "it has ended already"
    for person in (by_access, by_refresh):
        assert (await client.get(f"{API}/me", headers=person.bearer)).status_code == 401
        assert (await refresh(client, person.refresh_token)).status_code == 401
    assert (await client.post(f"{API}/logout")).json()["code"] == "credential_missing"
    assert (await client.post(f"{API}/logout", headers=by_access.bearer)).json()["code"] == "credential_unknown"
    assert (await client.post(f"{API}/logout", json={"refresh_token": "x"})).json()["code"] == "refresh_refused"


async def test_a_sign_in_that_ended_elsewhere_is_refused_within_five_seconds(
    app: Edge, pool: Pool, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in = accounts_of(app).signed_in
    now = signed_in._clock()
    monkeypatch.setattr(signed_in, "_clock", lambda: now)
    assert await signed_in.find_signed_in(person.access_token)
    async with connection(pool, NO_ORGANIZATION) as conn:
        await conn.execute(
            "UPDATE token_families SET revoked_at = clock_timestamp() WHERE family_id = $1", person.family_id
        )
    assert await signed_in.find_signed_in(person.access_token), "remembered for five seconds"
    now += timedelta(seconds=5)
    assert await signed_in.find_signed_in(person.access_token) is None


async def test_a_signature_is_verified_once(app: Edge, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []

    def count(unverified: UnverifiedToken, issuer: str, public_key: bytes) -> AccessClaims:
        verified.append(unverified.key_id)
        return verify_token(unverified, issuer, public_key)

    monkeypatch.setattr(find_signed_in, "verify_token", count)
    signed_in = accounts_of(app).signed_in
    seen = [await signed_in.find_signed_in(person.access_token) for _ in range(20)]
    assert [one is not None and one.user_id for one in seen] == [person.user_id] * 20
    assert len(verified) == 1
    assert await signed_in.find_signed_in(person.access_token + "x") is None, "another text is another token"


async def test_people_see_where_they_are_signed_in_and_sign_out_there(
    app: Edge, client: httpx.AsyncClient, pool: Pool, person: Person
) -> None:
    email, stranger = person.email, await make_person(app, pool)
    there, also = [await make_person(app, pool, email) for _ in range(2)]
    listed = (await client.get(f"{API}/sign-ins", headers=person.bearer)).json()["items"]
    assert {one["id"] for one in listed} == {str(one.family_id) for one in (person, there, also)}
    assert [one["id"] for one in listed if one["current"]] == [str(person.family_id)]

    for unknown in (stranger.family_id, person.user_id):
        answer = await client.delete(f"{API}/sign-ins/{unknown}", headers=person.bearer)
        assert (answer.status_code, answer.json()["code"]) == (404, "sign_in_not_found")
    assert (await client.get(f"{API}/me", headers=stranger.bearer)).status_code == 200

    assert (await client.get(f"{API}/me", headers=there.bearer)).status_code == 200
    answers = [await client.delete(f"{API}/sign-ins/{there.family_id}", headers=person.bearer) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 404]
    assert (await client.get(f"{API}/me", headers=there.bearer)).status_code == 401
    assert (await refresh(client, there.refresh_token)).status_code == 401

    assert (await client.delete(f"{API}/sign-ins", headers=person.bearer)).status_code == 204
    left = [(await client.get(f"{API}/me", headers=one.bearer)).status_code for one in (person, also, stranger)]
    assert left == [200, 401, 200]
