"""Who scans where: keys that are bound to sessions and gates, and users who work at several doors."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from harness.members import People
from harness.web import client_of, make_resources, make_seller, running_app

from fullhouse.infra.postgres import transaction
from fullhouse.infra.system import make_id, randomness
from fullhouse.organizations.issue_api_key import issue_api_key
from fullhouse.organizations.rules import NewApiKey, Role
from fullhouse.web.edge import Edge

URL = "/api/v1/tickets/validate"


@pytest.fixture(scope="module")
async def app(pool: Any, valkey: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    folder: Path = tmp_path_factory.mktemp("door")
    async with running_app(make_resources(pool, valkey, folder)) as running:
        yield running


@pytest.fixture(scope="module")
async def people(app: Edge, pool: Any) -> People:
    return People(app, pool)


@pytest.fixture(scope="module")
async def client(app: Edge) -> AsyncIterator[Any]:
    async with client_of(app) as opened:
        yield opened


async def bound_key(door: Any, **binding: Any) -> dict[str, str]:
    async with transaction(door.pool, door.organization_id) as conn:
        new = NewApiKey(name="gate", role=Role.SCANNER, **binding)
        _, text = await issue_api_key(conn, make_id, randomness, door.organization_id, new)
    return {"Authorization": f"Bearer {text}"}


async def test_a_key_bound_to_another_session_admits_nobody_here(door: Any, client: Any) -> None:
    key = await bound_key(door, session_ids=(uuid4(),))
    answer = await client.post(URL, json={"code": door.codes[0]}, headers=key)
    assert answer.json()["outcome"] == "wrong_session"
    named = {"code": door.codes[0], "session_id": str(door.tickets[0].session_id)}
    refused = await client.post(URL, json=named, headers=key)
    assert (refused.status_code, refused.json()["code"]) == (403, "outside_binding")
    assert await door.log() == []


async def test_a_key_bound_to_its_session_and_one_gate_scans_there(door: Any, client: Any) -> None:
    key = await bound_key(door, session_ids=(door.tickets[0].session_id,), gates=("North",))
    elsewhere = await client.post(URL, json={"code": door.codes[0], "gate": "South"}, headers=key)
    assert (elsewhere.status_code, elsewhere.json()["gates"]) == (403, ["North"])
    assert await door.log() == []
    # Without a gate in the scan, the key says which it is.
    answer = await client.post(URL, json={"code": door.codes[0]}, headers=key)
    assert (answer.json()["outcome"], answer.json()["admission"]["gate"]) == ("admitted", "North")


async def test_a_user_scans_for_whose_ticket_it_is(door: Any, client: Any, people: People, make_door: Any) -> None:
    second = await make_door()
    person = await people.join(door.organization_id, "scanner")
    await people.add(person, second.organization_id, "box_office")
    for one in (door, second):
        answer = await client.post(URL, json={"code": one.codes[0]}, headers=person.bearer)
        assert (answer.status_code, answer.json()["outcome"]) == (200, "admitted")
        assert await one.log() == [(1, "in")]


async def test_a_user_learns_nothing_of_a_ticket_of_others(door: Any, client: Any, people: People, pool: Any) -> None:
    home = await make_seller(pool)
    person = await people.join(home.organization_id, "scanner")
    answer = await client.post(URL, json={"code": door.codes[0]}, headers=person.bearer)
    assert (answer.json()["outcome"], answer.json()["ticket"]) == ("forged", None)
    unread = await client.post(URL, json={"code": "no code"}, headers=person.bearer)
    assert unread.json()["outcome"] == "unknown"
    nobody = await people.sign_in()
    refused = await client.post(URL, json={"code": door.codes[0]}, headers=nobody.bearer)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_missing")
    assert await door.log() == []
