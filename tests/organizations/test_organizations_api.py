"""Organizations: made by who is signed in, listed with one's role, changed by owners."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from harness.members import People, Person
from harness.web import make_seller

from fullhouse.infra.postgres import Pool

URL = "/api/v1/organizations"


async def make(client: httpx.AsyncClient, person: Person, name: str = "Teatro Aurora") -> dict[str, Any]:
    answer = await client.post(URL, headers=person.bearer, json={"name": name})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_who_makes_an_organization_owns_it(client: httpx.AsyncClient, people: People) -> None:
    person = await people.sign_in()
    made = await make(client, person)
    assert (made["role"], made["contact_email"], made["refund_limit_minor"]) == ("owner", person.email, 100_000)
    members = await client.get(f"{URL}/{made['id']}/members", headers=person.bearer)
    assert [(one["user_id"], one["role"]) for one in members.json()["items"]] == [(str(person.user_id), "owner")]


async def test_everybody_lists_their_own_organizations_with_their_role(
    client: httpx.AsyncClient, people: People, pool: Pool
) -> None:
    person, other = await people.sign_in(), await people.sign_in()
    made = [await make(client, person, f"House {number}") for number in range(3)]
    theirs = await make(client, other)
    await people.add(person, UUID(theirs["id"]), "scanner")
    first = (await client.get(URL, headers=person.bearer, params={"limit": 2})).json()
    second = (await client.get(URL, headers=person.bearer, params={"cursor": first["next_cursor"]})).json()
    listed = [(one["id"], one["role"]) for one in [*first["items"], *second["items"]]]
    assert listed == [*((one["id"], "owner") for one in made), (theirs["id"], "scanner")]
    assert second["next_cursor"] is None
    key = (await make_seller(pool)).bearer()
    refused = await client.get(URL, headers=key)
    assert (refused.status_code, refused.json()["code"]) == (403, "user_needed")


async def test_owners_change_their_organization(client: httpx.AsyncClient, people: People) -> None:
    person = await people.sign_in()
    made = await make(client, person)
    path = f"{URL}/{made['id']}"
    change = {"name": " Teatro Novo ", "language": "pt-BR", "refund_limit_minor": None, "contact_email": None}
    changed = await client.patch(path, headers=person.bearer, json=change)
    assert changed.status_code == 200, changed.text
    shown = (await client.get(path, headers=person.bearer)).json()
    assert shown == changed.json()
    assert [shown[name] for name in change] == ["Teatro Novo", "pt-BR", None, None]
    untouched = await client.patch(path, headers=person.bearer, json={})
    assert untouched.json() == shown
    manager = await people.join(UUID(made["id"]), "manager")
    refused = await client.patch(path, headers=manager.bearer, json={"name": "Nosso"})
    assert refused.status_code == 403
    assert (await client.get(path, headers=person.bearer)).json()["name"] == "Teatro Novo"


@pytest.mark.parametrize(
    "change",
    [{"name": ""}, {"name": None}, {"contact_email": "ana"}, {"refund_limit_minor": -1}, {"second_factor_required": 1}],
)
async def test_a_bad_change_changes_nothing(client: httpx.AsyncClient, people: People, change: dict[str, Any]) -> None:
    person = await people.sign_in()
    made = await make(client, person)
    answer = await client.patch(f"{URL}/{made['id']}", headers=person.bearer, json={"language": "pt", **change})
    assert answer.status_code == 422
    shown = await client.get(f"{URL}/{made['id']}", headers=person.bearer)
    assert shown.json() == {name: value for name, value in made.items() if name != "role"}


async def test_nobody_locks_themselves_out_with_a_second_factor(client: httpx.AsyncClient, people: People) -> None:
    person = await people.sign_in()
    made = await make(client, person)
    path = f"{URL}/{made['id']}"
    ask = {"second_factor_required": True}
    refused = await client.patch(path, headers=person.bearer, json=ask)
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")
    having = await people.join(UUID(made["id"]), "owner", second_factor=True)
    assert (await client.patch(path, headers=having.bearer, json=ask)).status_code == 200
    # It counts at once where it was decided.
    assert (await client.get(path, headers=person.bearer)).json()["code"] == "second_factor_required"
    assert (await client.get(path, headers=having.bearer)).json()["second_factor_required"] is True


async def test_a_repeat_with_its_key_makes_one_organization(client: httpx.AsyncClient, people: People) -> None:
    person, other = await people.sign_in(), await people.sign_in()
    headers = person.bearer | {"Idempotency-Key": "one house"}
    body = {"name": "Teatro Aurora"}
    answers = await asyncio.gather(*(client.post(URL, headers=headers, json=body) for _ in range(4)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    again = await client.post(URL, headers=headers, json=body)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert {answer.json()["id"] for answer in answers if answer.status_code == 201} == {again.json()["id"]}
    reused = await client.post(URL, headers=headers, json={"name": "Teatro Novo"})
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    theirs = await client.post(URL, headers=other.bearer | {"Idempotency-Key": "one house"}, json=body)
    assert theirs.json()["id"] != again.json()["id"]
    listed = (await client.get(URL, headers=person.bearer)).json()["items"]
    assert [one["id"] for one in listed] == [again.json()["id"]]


async def test_a_key_opens_no_way_past_the_limit(
    client: httpx.AsyncClient, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fullhouse.access.api.organizations.ORGANIZATIONS_OWNED_MAX", 1)
    person = await people.sign_in()
    headers = person.bearer | {"Idempotency-Key": "the first"}
    made = await client.post(URL, headers=headers, json={"name": "A"})
    for _ in range(2):
        answer = await client.post(URL, headers=person.bearer | {"Idempotency-Key": "more"}, json={"name": "B"})
        assert answer.status_code == 409
    assert (await client.post(URL, headers=headers, json={"name": "A"})).json() == made.json()
