"""Members: invited by mail, given roles by who has them, removed, and never without an owner."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from harness.members import People, Person
from harness.web import Seller, make_seller

from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection, transaction
from fullhouse.infra.resources import Resources
from fullhouse.organizations.members.invitation_token import invitation_secret, write_invitation_token
from fullhouse.organizations.members.mail_invitation import mail_invitation
from fullhouse.organizations.members.remove_member import remove_member
from fullhouse.organizations.rules import LastOwner

ACCEPT = "/api/v1/invitations/accept"


def of(seller: Seller, rest: str = "members") -> str:
    return f"/api/v1/organizations/{seller.organization_id}/{rest}"


async def roles(pool: Pool, organization_id: UUID) -> dict[str, str]:
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        rows = await conn.fetch(
            "SELECT u.email, m.role FROM members m JOIN users u USING (user_id) WHERE m.organization_id = $1",
            organization_id,
        )
    return {row["email"]: row["role"] for row in rows}


async def invite(client: httpx.AsyncClient, seller: Seller, email: str, role: str = "manager") -> dict[str, Any]:
    body = {"email": email, "role": role}
    answer = await client.post(of(seller, "invitations"), headers=seller.bearer(), json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def token_of(resources: Resources, seller: Seller, invitation: dict[str, Any]) -> str:
    invitation_id = UUID(invitation["id"])
    secret = invitation_secret(resources.secret_key, invitation_id)
    return write_invitation_token(seller.organization_id, invitation_id, secret)


async def accept(client: httpx.AsyncClient, person: Person, token: str) -> httpx.Response:
    return await client.post(ACCEPT, headers=person.bearer, json={"token": token})


async def test_who_is_invited_gets_a_mail_registers_and_accepts(
    client: httpx.AsyncClient, pool: Pool, people: People, resources: Resources, mailbox: Path
) -> None:
    seller = await make_seller(pool)
    email = f"bruno.lima+{uuid4().hex}@example.org"
    made = await invite(client, seller, email, "box_office")
    assert (made["status"], made["email"], "token" in made) == ("open", email, False)

    ids = (seller.organization_id, UUID(made["id"]))
    parts = (pool, resources.mailer, resources.secret_key, "https://tickets.example")
    sent = [await mail_invitation(*parts, ids) for _ in range(2)]
    assert sent == [True, False]
    mails = [path.read_text() for path in (mailbox / "mailbox").rglob("*") if path.is_file()]
    [mail] = [text for text in mails if made["id"] in text]
    token = token_of(resources, seller, made)
    assert token in mail.replace("=\n", "")
    assert "Subject: You are invited to Teatro Aurora" in mail

    person = await people.sign_in(email=email.upper())
    accepted = await accept(client, person, token)
    assert accepted.json() == {"organization_id": str(seller.organization_id), "role": "box_office"}
    assert (await client.get(of(seller, "events"), headers=person.bearer)).status_code == 200
    again = await accept(client, person, token)
    assert (again.status_code, again.json()["invitation_status"]) == (409, "accepted")
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        row = await conn.fetchrow("SELECT * FROM invitations WHERE organization_id = $1", seller.organization_id)
    assert token[-22:] not in str(dict(row or {}))


async def test_an_invitation_opens_for_the_verified_address_alone(
    client: httpx.AsyncClient, pool: Pool, people: People, resources: Resources
) -> None:
    seller = await make_seller(pool)
    email = f"bruno.lima+{uuid4().hex}@example.org"
    token = token_of(resources, seller, await invite(client, seller, email))
    thief = await people.sign_in()
    unverified = await people.sign_in(email=email, verified=False)
    other_secret = token[:-1] + ("A" if token[-1] != "A" else "B")
    tries = [(thief, token), (unverified, token), (unverified, other_secret), (thief, "x" * 65), (thief, "é" * 65)]
    codes = [(await accept(client, who, text)).json()["code"] for who, text in tries]
    assert codes == ["invitation_not_found", "email_unverified", *["invitation_not_found"] * 3]
    assert await roles(pool, seller.organization_id) == {}
    assert (await accept(client, await people.sign_in(email=email), token)).status_code == 200


async def test_inviting_again_voids_the_older_text(
    client: httpx.AsyncClient, pool: Pool, people: People, resources: Resources
) -> None:
    seller = await make_seller(pool)
    person = await people.sign_in()
    first = await invite(client, seller, person.email, "scanner")
    second = await invite(client, seller, person.email.upper(), "manager")
    over = await accept(client, person, token_of(resources, seller, first))
    assert (over.status_code, over.json()["invitation_status"]) == (409, "revoked")
    assert (await accept(client, person, token_of(resources, seller, second))).json()["role"] == "manager"
    listed = await client.get(of(seller, "invitations"), headers=seller.bearer("manager"))
    assert [one["status"] for one in listed.json()["items"]] == ["revoked", "accepted"]
    member = await client.post(
        of(seller, "invitations"), headers=seller.bearer(), json={"email": person.email, "role": "owner"}
    )
    assert (member.status_code, member.json()["code"], member.json()["role"]) == (409, "already_member", "manager")


async def test_a_revoked_or_expired_invitation_is_over_and_sends_no_mail(
    client: httpx.AsyncClient, pool: Pool, people: People, resources: Resources
) -> None:
    seller = await make_seller(pool)
    for how in ("revoked", "expired"):
        person = await people.sign_in()
        made = await invite(client, seller, person.email)
        if how == "revoked":
            path = of(seller, f"invitations/{made['id']}")
            assert (await client.delete(path, headers=seller.bearer())).status_code == 204
        else:
            async with transaction(pool, EVERY_ORGANIZATION) as conn:
                await conn.execute(
                    "UPDATE invitations SET expires_at = clock_timestamp() WHERE organization_id = $1 AND email = $2",
                    seller.organization_id,
                    person.email,
                )
        refused = await accept(client, person, token_of(resources, seller, made))
        assert (refused.status_code, refused.json()["invitation_status"]) == (409, how)
        ids = (seller.organization_id, UUID(made["id"]))
        assert not await mail_invitation(pool, resources.mailer, resources.secret_key, "https://t.example", ids)
    assert await roles(pool, seller.organization_id) == {}


async def test_one_invitation_accepted_at_once_makes_one_member(
    client: httpx.AsyncClient, pool: Pool, people: People, resources: Resources
) -> None:
    seller = await make_seller(pool)
    person = await people.sign_in()
    token = token_of(resources, seller, await invite(client, seller, person.email))
    answers = await asyncio.gather(*(accept(client, person, token) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert await roles(pool, seller.organization_id) == {person.email: "manager"}


@pytest.mark.parametrize(
    ("actor", "target", "wanted", "code"),
    [
        ("owner", "owner", "scanner", None),
        ("owner", "scanner", "owner", None),
        ("manager", "scanner", "manager", None),
        ("manager", "scanner", "owner", "role_above_own"),
        ("manager", "manager", "scanner", "role_above_own"),
        ("manager", "owner", "scanner", "role_above_own"),
        ("box_office", "scanner", "scanner", "permission_missing"),
    ],
)
async def test_roles_are_given_by_who_has_them(
    client: httpx.AsyncClient, pool: Pool, people: People, actor: str, target: str, wanted: str, code: str | None
) -> None:
    seller = await make_seller(pool)
    await people.join(seller.organization_id, "owner")
    one, other = await people.join(seller.organization_id, actor), await people.join(seller.organization_id, target)
    answer = await client.patch(of(seller, f"members/{other.user_id}"), headers=one.bearer, json={"role": wanted})
    assert answer.json().get("code") == code
    assert (await roles(pool, seller.organization_id))[other.email] == (wanted if code is None else target)


async def test_a_manager_neither_offers_nor_takes_back_what_is_above(
    client: httpx.AsyncClient, pool: Pool, people: People
) -> None:
    seller = await make_seller(pool)
    manager = await people.join(seller.organization_id, "manager")
    made = await invite(client, seller, "bruno.lima@example.org", "owner")
    path = of(seller, "invitations")
    for role in ("owner", "scanner"):
        body = {"email": "bruno.lima@example.org", "role": role}
        refused = await client.post(path, headers=manager.bearer, json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "role_above_own")
    assert (await client.delete(f"{path}/{made['id']}", headers=manager.bearer)).status_code == 403
    listed = (await client.get(path, headers=manager.bearer)).json()["items"]
    assert [(one["id"], one["status"]) for one in listed] == [(made["id"], "open")]


async def test_who_was_removed_is_out_at_once(client: httpx.AsyncClient, pool: Pool, people: People) -> None:
    seller = await make_seller(pool)
    owner = await people.join(seller.organization_id, "owner")
    scanner = await people.join(seller.organization_id, "manager")
    assert (await client.get(of(seller), headers=scanner.bearer)).status_code == 200
    path = of(seller, f"members/{scanner.user_id}")
    assert (await client.delete(path, headers=scanner.bearer)).status_code == 403
    assert (await client.delete(path, headers=owner.bearer)).status_code == 204
    assert (await client.get(of(seller), headers=scanner.bearer)).status_code == 404
    gone = await client.delete(path, headers=owner.bearer)
    assert (gone.status_code, gone.json()["code"]) == (404, "member_not_found")


async def test_the_last_owner_stays_an_owner(client: httpx.AsyncClient, pool: Pool, people: People) -> None:
    seller = await make_seller(pool)
    owner = await people.join(seller.organization_id, "owner")
    manager = await people.join(seller.organization_id, "manager")
    path = of(seller, f"members/{owner.user_id}")
    tries = [
        await client.post(of(seller, "leave"), headers=owner.bearer),
        await client.delete(path, headers=owner.bearer),
        await client.delete(path, headers=seller.bearer()),
        await client.patch(path, headers=owner.bearer, json={"role": "manager"}),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in tries} == {(409, "last_owner")}
    assert (await client.post(of(seller, "leave"), headers=manager.bearer)).status_code == 204
    assert await roles(pool, seller.organization_id) == {owner.email: "owner"}
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        logged = await conn.fetch(
            "SELECT action, actor_id, thing_id FROM audit_entries WHERE organization_id = $1 AND actor_kind = 'user'",
            seller.organization_id,
        )
    assert [tuple(row.values()) for row in logged] == [("member.remove", manager.user_id, manager.user_id)]
    stranger = await client.post(of(seller, "leave"), headers=manager.bearer)
    assert (stranger.status_code, stranger.json()["code"]) == (404, "organization_not_found")


async def test_of_two_owners_who_leave_at_once_one_stays(pool: Pool, people: People) -> None:
    seller = await make_seller(pool)
    owners = [await people.join(seller.organization_id, "owner") for _ in range(2)]
    start = asyncio.Barrier(2)

    async def leave(person: Person) -> bool:
        async with transaction(pool, seller.organization_id) as conn:
            await start.wait()
            try:
                await remove_member(conn, seller.organization_id, person.user_id, lambda _role: None)
            except LastOwner:
                return False
            return True

    assert sorted(await asyncio.gather(*(leave(one) for one in owners))) == [False, True]
    assert list((await roles(pool, seller.organization_id)).values()) == ["owner"]


async def test_one_list_follows_another(client: httpx.AsyncClient, pool: Pool, people: People) -> None:
    seller = await make_seller(pool)
    emails = [(await people.join(seller.organization_id, "scanner")).email for _ in range(3)]
    first = (await client.get(of(seller), headers=seller.bearer(), params={"limit": 2})).json()
    second = (
        await client.get(of(seller), headers=seller.bearer(), params={"limit": 2, "cursor": first["next_cursor"]})
    ).json()
    assert [one["email"] for one in [*first["items"], *second["items"]]] == emails
    assert second["next_cursor"] is None
