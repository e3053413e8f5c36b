"""API keys: issued once, stored hashed, told apart, revoked, and never seen by others."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from harness.web import Seller, make_seller

from fullhouse.core.secrets import hash_secret
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.organizations.find_api_key import ApiKeys
from fullhouse.organizations.issue_api_key import issue_api_key
from fullhouse.organizations.rules import API_KEYS_MAX, NewApiKey, Role, TooManyApiKeys, read_api_key_id, write_api_key


class StoppedClock:
    def __init__(self) -> None:
        self.now = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def keys_path(seller: Seller) -> str:
    return f"/api/v1/organizations/{seller.organization_id}/api-keys"


async def test_a_key_is_shown_once_and_stored_as_a_hash(client: httpx.AsyncClient, seller: Seller, pool: Pool) -> None:
    issued = await client.post(keys_path(seller), headers=seller.bearer(), json={"name": "Door 2", "role": "scanner"})
    assert issued.status_code == 201
    made = issued.json()
    text = made.pop("key")
    assert made["name"] == "Door 2"
    assert made["hint"] == text[-4:]
    assert read_api_key_id(text) == UUID(made["id"])
    async with connection(pool, seller.organization_id) as conn:
        row = await conn.fetchrow(
            "SELECT * FROM api_keys WHERE organization_id = $1 AND api_key_id = $2",
            seller.organization_id,
            UUID(made["id"]),
        )
    assert row is not None
    assert row["key_hash"] == hash_secret(text)
    assert text not in str(dict(row))
    listed = await client.get(keys_path(seller), headers=seller.bearer())
    assert text not in listed.text
    assert made["id"] in [key["id"] for key in listed.json()["items"]]


async def test_the_list_is_paged_without_loss_or_repeat(client: httpx.AsyncClient, pool: Pool) -> None:
    seller = await make_seller(pool)
    found: list[str] = []
    cursor: str | None = None
    for _ in range(10):
        query = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(keys_path(seller), headers=seller.bearer(), params=query)).json()
        found += [key["name"] for key in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    # Made in one millisecond, so in any order.
    assert sorted(found) == ["box_office", "manager", "owner", "scanner"]


@pytest.mark.parametrize("role", ["manager", "box_office", "scanner"])
async def test_owners_alone_handle_keys(client: httpx.AsyncClient, seller: Seller, role: str) -> None:
    for request in (
        client.get(keys_path(seller), headers=seller.bearer(role)),
        client.post(keys_path(seller), headers=seller.bearer(role), json={"name": "x", "role": "scanner"}),
        client.delete(f"{keys_path(seller)}/{UUID(int=1)}", headers=seller.bearer(role)),
    ):
        answer = await request
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")
        assert answer.json()["permission"] == "api_key:write"


async def test_another_organization_answers_404(client: httpx.AsyncClient, seller: Seller, pool: Pool) -> None:
    stranger = await make_seller(pool, "Kulturhaus Nord")
    ours = await client.get(keys_path(seller), headers=seller.bearer())
    key_id = ours.json()["items"][0]["id"]
    for request in (
        client.get(keys_path(seller), headers=stranger.bearer()),
        client.post(keys_path(seller), headers=stranger.bearer(), json={"name": "x", "role": "owner"}),
        client.delete(f"{keys_path(seller)}/{key_id}", headers=stranger.bearer()),
        client.get(f"/api/v1/organizations/{seller.organization_id}", headers=stranger.bearer()),
    ):
        answer = await request
        assert (answer.status_code, answer.json()["code"]) == (404, "organization_not_found")
    # Through their own address, another organization's key is as little there.
    answer = await client.delete(f"{keys_path(stranger)}/{key_id}", headers=stranger.bearer())
    assert (answer.status_code, answer.json()["code"]) == (404, "api_key_not_found")
    after = await client.get(keys_path(seller), headers=seller.bearer())
    assert [(key["id"], key["revoked_at"]) for key in after.json()["items"]] == [
        (key["id"], key["revoked_at"]) for key in ours.json()["items"]
    ]


async def test_a_revoked_key_is_refused_at_once_by_the_process_that_revoked_it(
    client: httpx.AsyncClient, seller: Seller
) -> None:
    issued = (
        await client.post(keys_path(seller), headers=seller.bearer(), json={"name": "short", "role": "owner"})
    ).json()
    theirs = {"Authorization": f"Bearer {issued['key']}"}
    path = f"/api/v1/organizations/{seller.organization_id}"
    assert (await client.get(path, headers=theirs)).status_code == 200
    revoked = await client.delete(f"{keys_path(seller)}/{issued['id']}", headers=seller.bearer())
    assert (revoked.status_code, revoked.content) == (204, b"")
    refused = await client.get(path, headers=theirs)
    assert (refused.status_code, refused.json()["code"]) == (401, "credential_unknown")
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="fullhouse"'
    # Revoking again changes nothing, not even the instant.
    listed = (await client.get(keys_path(seller), headers=seller.bearer(), params={"limit": "100"})).json()["items"]
    before = next(key["revoked_at"] for key in listed if key["id"] == issued["id"])
    assert (await client.delete(f"{keys_path(seller)}/{issued['id']}", headers=seller.bearer())).status_code == 204
    listed = (await client.get(keys_path(seller), headers=seller.bearer(), params={"limit": "100"})).json()["items"]
    assert next(key["revoked_at"] for key in listed if key["id"] == issued["id"]) == before


async def test_a_key_revoked_elsewhere_is_refused_within_five_seconds(pool: Pool) -> None:
    seller = await make_seller(pool)
    text = seller.keys[Role.MANAGER]
    clock = StoppedClock()
    ours, elsewhere = ApiKeys(pool, clock), ApiKeys(pool, clock)
    found = await ours.find_api_key(text)
    assert found is not None
    async with connection(pool, seller.organization_id) as conn:
        await conn.execute(
            "UPDATE api_keys SET revoked_at = clock_timestamp() WHERE organization_id = $1 AND api_key_id = $2",
            seller.organization_id,
            found.api_key_id,
        )
    assert await elsewhere.find_api_key(text) is None
    clock.now += timedelta(seconds=5)
    assert await ours.find_api_key(text) is None


async def test_an_expired_key_is_refused_even_while_it_is_remembered(pool: Pool) -> None:
    seller = await make_seller(pool)
    clock = StoppedClock()
    clock.now = system.now()
    async with transaction(pool, seller.organization_id) as conn:
        new = NewApiKey("short", Role.OWNER, expires_at=clock.now + timedelta(seconds=2))
        _, text = await issue_api_key(conn, system.make_id, system.randomness, seller.organization_id, new)
    api_keys = ApiKeys(pool, clock)
    assert await api_keys.find_api_key(text) is not None
    clock.now += timedelta(seconds=2)
    async with connection(pool, seller.organization_id) as conn:
        # The database's clock decides as well; let the key be over there too without waiting for it.
        await conn.execute(
            "UPDATE api_keys SET expires_at = clock_timestamp() WHERE organization_id = $1 AND name = 'short'",
            seller.organization_id,
        )
    assert await api_keys.find_api_key(text) is None


async def test_a_key_with_one_character_changed_is_no_key(pool: Pool) -> None:
    seller = await make_seller(pool)
    text = seller.keys[Role.OWNER]
    api_keys = ApiKeys(pool, system.now)
    assert await api_keys.find_api_key(text) is not None
    for position in (3, 20, 30, len(text) - 2):
        other = "A" if text[position] != "A" else "B"
        assert await api_keys.find_api_key(text[:position] + other + text[position + 1 :]) is None
    for forged in ("", "fh_", text + "A", text[:-1], text.upper(), write_api_key(UUID(int=7), bytes(24))):
        assert await api_keys.find_api_key(forged) is None


async def test_the_last_use_is_written_at_most_once_a_minute(pool: Pool) -> None:
    seller = await make_seller(pool)
    text = seller.keys[Role.SCANNER]

    async def last_use() -> datetime | None:
        async with connection(pool, seller.organization_id) as conn:
            found: datetime | None = await conn.fetchval(
                "SELECT last_used_at FROM api_keys WHERE organization_id = $1 AND role = 'scanner'",
                seller.organization_id,
            )
            return found

    assert await last_use() is None
    await ApiKeys(pool, system.now).find_api_key(text)
    first = await last_use()
    assert first is not None
    await ApiKeys(pool, system.now).find_api_key(text)
    assert await last_use() == first
    async with connection(pool, seller.organization_id) as conn:
        await conn.execute(
            "UPDATE api_keys SET last_used_at = last_used_at - interval '61 seconds' WHERE organization_id = $1",
            seller.organization_id,
        )
    await ApiKeys(pool, system.now).find_api_key(text)
    again = await last_use()
    assert again is not None
    assert again >= first


async def test_the_limit_of_keys_holds_when_many_are_issued_at_once(pool: Pool) -> None:
    seller = await make_seller(pool)
    start = asyncio.Barrier(8)
    missing = API_KEYS_MAX - len(Role) - 2
    async with transaction(pool, seller.organization_id) as conn:
        for number in range(missing):
            new = NewApiKey(f"key {number}", Role.SCANNER)
            await issue_api_key(conn, system.make_id, system.randomness, seller.organization_id, new)

    async def issue() -> bool:
        async with transaction(pool, seller.organization_id) as conn:
            await start.wait()
            new = NewApiKey("one more", Role.SCANNER)
            try:
                await issue_api_key(conn, system.make_id, system.randomness, seller.organization_id, new)
            except TooManyApiKeys:
                return False
            return True

    assert sum(await asyncio.gather(*(issue() for _ in range(8)))) == 2
    async with connection(pool, seller.organization_id) as conn:
        count = await conn.fetchval("SELECT count(*) FROM api_keys WHERE organization_id = $1", seller.organization_id)
        registered = await conn.fetchval(
            "SELECT count(*) FROM directory WHERE organization_id = $1 AND kind = 'api_key'", seller.organization_id
        )
    assert (count, registered) == (API_KEYS_MAX, API_KEYS_MAX)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "", "role": "owner"}, "name"),
        ({"name": "x" * 101, "role": "owner"}, "name"),
        ({"name": "two\nlines", "role": "owner"}, "name"),
        ({"name": "x", "role": "king"}, "role"),
        ({"name": "x"}, "role"),
        ({"name": "x", "role": "owner", "scopes": []}, "scopes"),
        ({"name": "x", "role": "owner", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "role": "owner", "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"name": "x", "role": "owner", "expires_at": 1_900_000_000}, "expires_at"),
        ({"name": "x", "role": "owner", "expires_at": "9999-12-31T23:59:59-12:00"}, "expires_at"),
    ],
)
async def test_a_bad_field_is_named_and_no_key_is_issued(
    client: httpx.AsyncClient, pool: Pool, body: dict[str, Any], field: str
) -> None:
    seller = await make_seller(pool)
    answer = await client.post(keys_path(seller), headers=seller.bearer(), json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    listed = await client.get(keys_path(seller), headers=seller.bearer())
    assert len(listed.json()["items"]) == len(Role)
