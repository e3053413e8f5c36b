"""Owners read the audit log: filters, pages, and nobody else."""

from datetime import datetime
from typing import Any

import httpx
import pytest
from harness.web import Seller, make_seller

from fullhouse.infra.audit_chain import link_audit_log
from fullhouse.infra.postgres import Pool


@pytest.fixture
async def seller(pool: Pool, client: httpx.AsyncClient) -> Seller:
    """Make an organization whose owner created three events, of which a manager changed the last."""
    made = await make_seller(pool)
    path = f"/organizations/{made.organization_id}/events"
    for name in ("First", "Second", "Third"):
        body = {"name": name, "currency": "EUR"}
        answer = await client.post(path, json=body, headers=made.bearer())
        assert answer.status_code == 201
    changed = f"/events/{answer.json()['id']}"
    assert (await client.patch(changed, json={"name": "Last"}, headers=made.bearer("manager"))).status_code == 200
    return made


async def read(client: httpx.AsyncClient, seller: Seller, **query: Any) -> dict[str, Any]:
    path = f"/organizations/{seller.organization_id}/audit-log"
    answer = await client.get(path, params=query, headers=seller.bearer())
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_owner_sees_who_did_what_to_which_thing_from_where(
    client: httpx.AsyncClient, seller: Seller, pool: Pool
) -> None:
    newest = (await read(client, seller))["items"][0]
    assert (newest["number"], newest["hash"]) == (None, None)
    await link_audit_log(pool)
    newest = (await read(client, seller))["items"][0]
    assert (newest["number"], len(newest["hash"])) == (4, 64)
    assert newest["action"] == "event.update"
    assert newest["thing"]["kind"] == "event"
    assert newest["details"] == {"fields": ["name"]}
    assert newest["actor"]["kind"] == "api_key"
    assert newest["actor"]["label"] == f"api_key {newest['actor']['id']}"
    assert newest["origin"]["address"] == "127.0.0.1"
    assert newest["request_id"]


async def test_filters_choose_and_may_be_combined(client: httpx.AsyncClient, seller: Seller) -> None:
    items = (await read(client, seller))["items"]
    manager, owner = items[0]["actor"]["id"], items[1]["actor"]["id"]

    async def found(**query: Any) -> list[int]:
        return [item["id"] for item in (await read(client, seller, **query))["items"]]

    ids = [item["id"] for item in items]
    assert await found(actor=manager) == ids[:1]
    assert await found(actor=owner) == ids[1:]
    assert await found(action="event.create") == ids[1:]
    assert await found(thing=items[0]["thing"]["id"]) == ids[:2]
    assert await found(thing=items[0]["thing"]["id"], action="event.create") == ids[1:2]
    assert await found(**{"from": items[1]["occurred_at"]}) == ids[:2]
    assert await found(to=items[1]["occurred_at"]) == ids[2:]
    assert await found(action="event.publish") == []


async def test_pages_hold_every_entry_once_while_more_are_written(client: httpx.AsyncClient, seller: Seller) -> None:
    whole = [item["id"] for item in (await read(client, seller))["items"]]
    page = await read(client, seller, limit=2)
    body = {"name": "A newer one", "currency": "EUR"}
    await client.post(f"/organizations/{seller.organization_id}/events", json=body, headers=seller.bearer())
    rest = await read(client, seller, limit=2, cursor=page["next_cursor"])
    assert [item["id"] for item in page["items"] + rest["items"]] == whole
    assert rest["next_cursor"] is None
    instants = [datetime.fromisoformat(item["occurred_at"]) for item in page["items"] + rest["items"]]
    assert instants == sorted(instants, reverse=True)


async def test_nobody_but_an_owner_of_the_organization_reads_it(
    client: httpx.AsyncClient, seller: Seller, pool: Pool
) -> None:
    path = f"/organizations/{seller.organization_id}/audit-log"
    assert (await client.get(path)).status_code == 401
    for role in ("manager", "box_office", "scanner"):
        answer = await client.get(path, headers=seller.bearer(role))
        assert (answer.status_code, answer.json()["permission"]) == (403, "audit:read")
    stranger = await make_seller(pool)
    assert (await client.get(path, headers=stranger.bearer())).status_code == 404
    assert (await read(client, stranger))["items"] == []


@pytest.mark.parametrize("query", [{"action": "DROP"}, {"from": "yesterday"}, {"actor": "me"}, {"other": "1"}])
async def test_filter_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, seller: Seller, query: dict[str, str]
) -> None:
    path = f"/organizations/{seller.organization_id}/audit-log"
    assert (await client.get(path, params=query, headers=seller.bearer())).status_code == 422


async def test_cursor_of_another_list_is_refused(client: httpx.AsyncClient, seller: Seller) -> None:
    path = f"/organizations/{seller.organization_id}/audit-log"
    answer = await client.get(path, params={"cursor": "AAAA"}, headers=seller.bearer())
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_malformed")
