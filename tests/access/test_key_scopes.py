"""API keys with scopes, and scanners' keys that are bound to sessions and gates."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from harness.web import Seller, make_seller

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool


async def issue(client: httpx.AsyncClient, seller: Seller, key: str | None = None, **body: Any) -> httpx.Response:
    headers = seller.bearer() if key is None else {"Authorization": f"Bearer {key}"}
    new = {"name": "a key", "role": "owner", **body}
    return await client.post(f"/api/v1/organizations/{seller.organization_id}/api-keys", headers=headers, json=new)


async def issued(client: httpx.AsyncClient, seller: Seller, key: str | None = None, **body: Any) -> str:
    answer = await issue(client, seller, key, **body)
    assert answer.status_code == 201, answer.text
    text: str = answer.json()["key"]
    return text


async def status(client: httpx.AsyncClient, path: str, key: str) -> int:
    return (await client.get(path, headers={"Authorization": f"Bearer {key}"})).status_code


async def test_a_key_with_scopes_may_what_they_say_and_no_more(client: httpx.AsyncClient, pool: Pool) -> None:
    seller = await make_seller(pool)
    key = await issued(client, seller, role="manager", scopes=["event:read", "event:write", "event:read"])
    base = f"/api/v1/organizations/{seller.organization_id}"
    assert await status(client, f"{base}/events", key) == 200
    assert await status(client, base, key) == 403
    listed = await client.get(f"{base}/api-keys", headers=seller.bearer())
    assert [one["scopes"] for one in listed.json()["items"]][-2:] == [None, ["event:read", "event:write"]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": "scanner", "scopes": ["event:write"]}, None),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["event:fly"]}, "scopes.0"),
        ({"role": "manager", "gates": ["North"]}, None),
        ({"role": "scanner", "session_ids": [str(uuid4())]}, "session_ids[0]"),
    ],
)
async def test_scopes_and_bindings_that_make_no_sense_are_refused(
    client: httpx.AsyncClient, seller: Seller, body: dict[str, Any], field: str | None
) -> None:
    answer = await issue(client, seller, **body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text
    assert field in (None, answer.json()["errors"][0]["field"])


async def test_a_key_gives_no_more_than_it_has_and_no_longer(client: httpx.AsyncClient, pool: Pool) -> None:
    seller = await make_seller(pool)
    until = system.now() + timedelta(hours=1)
    minor = await issued(client, seller, scopes=["api_key:write", "ticket:scan"], expires_at=until.isoformat())
    refused = await issue(client, seller, minor, role="manager")
    assert (refused.status_code, refused.json()["code"]) == (403, "role_above_own")
    assert "event:write" in refused.json()["permissions"]
    child = await issue(client, seller, minor, role="scanner")
    assert child.status_code == 201
    assert datetime.fromisoformat(child.json()["expires_at"]) == until
    later = await issue(client, seller, minor, role="scanner", expires_at=(until + timedelta(days=1)).isoformat())
    assert datetime.fromisoformat(later.json()["expires_at"]) == until
