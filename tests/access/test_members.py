"""Users in routes: the organization follows from what is asked for, and everybody else's things are not found."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from harness.members import People
from harness.web import Seller, make_seller

from fullhouse.infra import system
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection
from fullhouse.organizations.members.find_member import Members
from fullhouse.organizations.rules import Role

EVENT: dict[str, Any] = {
    "name": "Noite de Fado",
    "date": "2031-05-01T20:00:00Z",
    "capacity": 5,
    "price_minor": 1000,
    "currency": "EUR",
}


async def make_event(client: httpx.AsyncClient, seller: Seller) -> dict[str, Any]:
    body = {**EVENT, "organization_id": str(seller.organization_id)}
    answer = await client.post("/api/v1/events", headers=seller.bearer("manager"), json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_user_of_two_organizations_works_for_each_with_its_role(
    client: httpx.AsyncClient, pool: Pool, people: People
) -> None:
    one, two = await make_seller(pool), await make_seller(pool)
    person = await people.join(one.organization_id, "manager")
    await people.add(person, two.organization_id, "box_office")
    ours, theirs = await make_event(client, one), await make_event(client, two)
    rename = {"name": "Outra Noite"}
    first = await client.patch(f"/api/v1/events/{ours['id']}", headers=person.bearer, json=rename)
    second = await client.patch(f"/api/v1/events/{theirs['id']}", headers=person.bearer, json=rename)
    assert (first.status_code, first.json()["name"]) == (200, "Outra Noite")
    assert (second.status_code, second.json()["code"]) == (403, "permission_missing")
    session = theirs["sessions"][0]["id"]
    listed = await client.get(f"/api/v1/sessions/{session}/allocations", headers=person.bearer)
    assert listed.status_code == 200


async def test_what_is_nobodys_and_what_is_anothers_look_the_same(
    client: httpx.AsyncClient, pool: Pool, people: People
) -> None:
    home, other = await make_seller(pool), await make_seller(pool)
    person = await people.join(home.organization_id, "owner")
    event = await make_event(client, other)
    answers = [
        await client.patch(f"/api/v1/events/{event_id}", headers=person.bearer, json={"name": "Nosso"})
        for event_id in (event["id"], uuid4(), "no-id")
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "event_not_found")}
    assert answers[0].json()["detail"] == answers[1].json()["detail"]
    shown = await client.get(f"/api/v1/events/{event['id']}")
    assert shown.json()["name"] == EVENT["name"]


async def test_the_organization_in_a_body_is_looked_up(client: httpx.AsyncClient, pool: Pool, people: People) -> None:
    one, two, other = await make_seller(pool), await make_seller(pool), await make_seller(pool)
    person = await people.join(one.organization_id, "manager")
    await people.add(person, two.organization_id, "scanner")
    statuses: list[int] = []
    for seller in (one, two, other):
        body = {**EVENT, "organization_id": str(seller.organization_id)}
        statuses.append((await client.post("/api/v1/events", headers=person.bearer, json=body)).status_code)
    assert statuses == [201, 403, 404]
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        ids = [two.organization_id, other.organization_id]
        assert await conn.fetchval("SELECT count(*) FROM events WHERE organization_id = ANY ($1)", ids) == 0


async def test_drafts_are_shown_to_their_members_and_to_no_others(
    client: httpx.AsyncClient, pool: Pool, people: People
) -> None:
    seller = await make_seller(pool)
    draft = await client.post(
        f"/api/v1/organizations/{seller.organization_id}/events",
        headers=seller.bearer("manager"),
        json={"name": "Ensaio", "currency": "EUR"},
    )
    path = f"/api/v1/events/{draft.json()['id']}"
    member = await people.join(seller.organization_id, "box_office")
    scanner = await people.join(seller.organization_id, "scanner")
    stranger = await people.sign_in()
    seen = [(await client.get(path, headers=who.bearer)).status_code for who in (member, scanner, stranger)]
    assert seen == [200, 404, 404]
    assert (await client.get(path, headers={"Authorization": "Bearer a.b.c"})).status_code == 401


async def test_without_the_second_factor_that_is_asked_for_nobody_works(
    client: httpx.AsyncClient, pool: Pool, people: People
) -> None:
    seller = await make_seller(pool)
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        await conn.execute(
            "UPDATE organizations SET second_factor_required = true WHERE organization_id = $1", seller.organization_id
        )
    path = f"/api/v1/organizations/{seller.organization_id}"
    without = await people.join(seller.organization_id, "owner")
    having = await people.join(seller.organization_id, "owner", second_factor=True)
    refused = await client.get(path, headers=without.bearer)
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")
    assert (await client.get(path, headers=having.bearer)).status_code == 200
    # Whoever does not work there is not told what it asks for.
    stranger = await people.sign_in()
    assert (await client.get(path, headers=stranger.bearer)).status_code == 404


async def test_a_role_that_was_changed_elsewhere_is_followed_within_five_seconds(
    pool: Pool, people: People, seller: Seller
) -> None:
    person = await people.join(seller.organization_id, "manager")
    place, now = (seller.organization_id, person.user_id), system.now()
    here, elsewhere = Members(pool, lambda: now), Members(pool, lambda: now)
    assert await here.find_role(*place) is Role.MANAGER
    async with connection(pool, seller.organization_id) as conn:
        await conn.execute("UPDATE members SET role = 'scanner' WHERE organization_id = $1 AND user_id = $2", *place)
    assert [await one.find_role(*place) for one in (here, elsewhere)] == [Role.MANAGER, Role.SCANNER]
    now += timedelta(seconds=5)
    assert await here.find_role(*place) is Role.SCANNER
    async with connection(pool, seller.organization_id) as conn:
        await conn.execute("DELETE FROM members WHERE organization_id = $1 AND user_id = $2", *place)
    now += timedelta(seconds=5)
    assert await here.find_role(*place) is None


async def test_an_unknown_token_is_refused_as_such(client: httpx.AsyncClient, seller: Seller) -> None:
    path = f"/api/v1/organizations/{seller.organization_id}"
    answer = await client.get(path, headers={"Authorization": "Bearer e30.e30.e30"})
    assert (answer.status_code, answer.json()["code"]) == (401, "credential_unknown")


@pytest.mark.parametrize("role", Role)
async def test_a_member_may_what_a_key_of_the_role_may(
    client: httpx.AsyncClient, pool: Pool, people: People, role: Role
) -> None:
    seller = await make_seller(pool)
    person = await people.join(seller.organization_id, role)
    base = f"/api/v1/organizations/{seller.organization_id}"
    for path in (base, f"{base}/events", f"{base}/api-keys", f"{base}/webhook-endpoints"):
        by_key = await client.get(path, headers=seller.bearer(role))
        by_user = await client.get(path, headers=person.bearer)
        assert by_key.status_code == by_user.status_code, path
