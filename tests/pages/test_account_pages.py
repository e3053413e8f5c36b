"""Pages of accounts without scripts: what a browser keeps, which forms are taken, and who sees what."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from harness.identity_provider import CLIENT, IdentityProvider, running_provider
from harness.mails import send_account_mails
from harness.members import People
from harness.people import PASSWORD, accounts_of, family_of, new_email
from harness.shop import Shop
from harness.web import client_of, make_seller, running_app
from pages.browsing import Buyer, Form, Visit

from fullhouse.identity.passwords import Passwords
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection, transaction
from fullhouse.infra.resources import Resources
from fullhouse.infra.system import make_id
from fullhouse.organizations.members.invitation_token import invitation_secret, write_invitation_token
from fullhouse.organizations.members.invite_member import InvitationPost, invite_member
from fullhouse.organizations.rules import Role
from fullhouse.web.edge import Edge


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
def people(app: Edge, pool: Pool) -> People:
    return People(app, pool)


@pytest.fixture
async def email(app: Edge, people: People, pool: Pool) -> str:
    """Make a person whose address is confirmed, and who has a password."""
    person = await people.sign_in()
    passwords: Passwords = accounts_of(app).means.passwords
    password_hash = await passwords.hash_password(PASSWORD)
    async with connection(pool, NO_ORGANIZATION) as conn:
        await conn.execute("UPDATE users SET password_hash = $2 WHERE user_id = $1", person.user_id, password_hash)
    return person.email


async def enter(buyer: Buyer, email: str, password: str = PASSWORD) -> Visit:
    form = (await buyer.open("/sign-in")).form("/sign-in")
    return await buyer.send(form, {"email": email, "password": password})


def form_of(visit: Visit, action: str) -> Form:
    return next(form for form in visit.forms if form.action == action)


def cookies_of(answer: httpx.Response) -> dict[str, str]:
    return {line.split("=")[0]: line for line in answer.headers.get_list("set-cookie")}


async def test_a_sign_in_leaves_cookies_that_no_script_reads(buyer: Buyer, email: str) -> None:
    form = (await buyer.open("/sign-in")).form("/sign-in")
    answer = await buyer.post(form, {"email": email, "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/account/orders")
    cookies = cookies_of(answer)
    assert {"access", "refresh"} <= set(cookies)
    for name in ("access", "refresh"):
        assert "HttpOnly" in cookies[name]
        assert "SameSite=lax" in cookies[name]
        assert "Path=/" in cookies[name]
    assert answer.content == b""
    shown = await buyer.open("/account")
    assert (shown.status, email in shown.text) == (200, True)
    assert shown.answer.headers["cache-control"] == "no-store"
    assert shown.answer.headers["referrer-policy"] == "no-referrer"
    assert buyer.client.cookies["access"] not in shown.answer.text
    assert all("access" not in link and "token" not in link for link in shown.links)


async def test_over_https_cookies_are_of_this_host_alone(resources: Resources, email: str) -> None:
    secure = replace(resources, public_url="https://tickets.example")
    async with running_app(secure) as app, client_of(app) as client:
        client.base_url = httpx.URL("https://tickets.example")
        buyer = Buyer(client)
        form = (await buyer.open("/sign-in")).form("/sign-in")
        cookies = cookies_of(await buyer.post(form, {"email": email, "password": PASSWORD}))
        assert {"__Host-access", "__Host-refresh"} <= set(cookies)
        assert all("Secure" in line and "Domain" not in line for line in cookies.values())
        assert (await buyer.open("/account")).status == 200


async def test_wrong_passwords_and_unknown_addresses_hear_the_same(buyer: Buyer, email: str) -> None:
    pages = [await enter(buyer, email, "not the password"), await enter(buyer, new_email())]
    for page in pages:
        assert (page.status, "The address or the password is wrong." in page.text) == (401, True)
        assert "access" not in buyer.client.cookies


@pytest.mark.parametrize("path", ["/account", "/account/orders", "/account/second-factor"])
async def test_who_is_not_signed_in_is_led_there_and_back(buyer: Buyer, email: str, path: str) -> None:
    asked = await buyer.client.get(path)
    assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in")
    form = (await buyer.open("/sign-in")).form("/sign-in")
    answer = await buyer.post(form, {"email": email, "password": PASSWORD})
    assert answer.headers["location"] == path


async def test_a_planted_address_leads_nowhere(buyer: Buyer, email: str) -> None:
    buyer.client.cookies.set("next", "//elsewhere.example/account", domain="tickets.example")
    form = (await buyer.open("/sign-in")).form("/sign-in")
    answer = await buyer.post(form, {"email": email, "password": PASSWORD})
    assert answer.headers["location"] == "/account/orders"


async def test_forms_of_others_are_refused(app: Edge, buyer: Buyer, email: str, pool: Pool) -> None:
    form = (await buyer.open("/sign-in")).form("/sign-in")
    sent = {"email": email, "password": PASSWORD}
    for headers, changes in (
        ({"Sec-Fetch-Site": "cross-site"}, {}),
        ({}, {"form": ""}),
        ({}, {"form": "0" * 32}),
    ):
        refused = await buyer.post(form, {**sent, **changes}, headers)
        assert refused.status_code == 403
        assert "This form came from another site" in refused.text
    async with client_of(app) as stranger:
        stolen = await Buyer(stranger).post(form, sent)
        assert stolen.status_code == 403, "a token is good in the browser that it was made for"
    await buyer.post(form, sent)
    account = await buyer.open("/account")
    password = form_of(account, "/account/password")
    for action in ("/account/password", "/sign-out", "/account/second-factor", "/account/verify"):
        refused = await buyer.client.post(action, data={**password.fields, "form": form.fields["form"]})
        assert refused.status_code == 403, f"{action}: made before this sign-in"
    assert (await buyer.open("/account")).status == 200
    assert await pool.fetchval("SELECT count(*) FROM users WHERE email = $1", email) == 1


async def test_an_access_token_that_ended_is_renewed_for_two_tabs_at_once(buyer: Buyer, email: str) -> None:
    await enter(buyer, email)
    refresh = buyer.client.cookies["refresh"]
    del buyer.client.cookies["access"]
    first = await buyer.client.get("/account")
    second = await buyer.client.get("/account", headers={"Cookie": f"refresh={refresh}"})
    assert (first.status_code, second.status_code) == (200, 200)
    renewed = [cookies_of(answer)["refresh"].split(";")[0] for answer in (first, second)]
    assert renewed[0] == renewed[1] != f"refresh={refresh}"
    assert (await buyer.client.get("/account")).status_code == 200


async def test_a_refresh_token_of_before_ends_the_sign_in(buyer: Buyer, email: str, pool: Pool) -> None:
    await enter(buyer, email)
    old = buyer.client.cookies["refresh"]
    for _ in range(2):
        del buyer.client.cookies["access"]
        assert (await buyer.client.get("/account")).status_code == 200
    stolen = await buyer.client.get("/account", headers={"Cookie": f"refresh={old}"})
    assert (stolen.status_code, stolen.headers["location"]) == (303, "/sign-in")
    assert (
        await pool.fetchval(
            "SELECT count(*) FROM token_families f JOIN users u USING (user_id)"
            " WHERE u.email = $1 AND f.revoked_at IS NOT NULL",
            email,
        )
        == 1
    )


@pytest.mark.parametrize("everywhere", [False, True])
async def test_signing_out_here_and_there(
    app: Edge, buyer: Buyer, email: str, people: People, pool: Pool, everywhere: bool
) -> None:
    async with client_of(app, **{"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}) as other:
        there = Buyer(other)
        await enter(there, email)
        await enter(buyer, email)
        account = await buyer.open("/account")
        assert "Firefox, Linux" in account.text
        ends = [form for form in account.forms if form.action.endswith("/end")]
        stranger = await people.sign_in()
        foreign = Form(f"/account/sign-ins/{stranger.family_id}/end", ends[0].fields)
        await buyer.send(foreign)
        assert (await family_of(pool, stranger.family_id))["revoked_at"] is None, "somebody else's stays"
        for form in ends:
            if (form.action == "/account/sign-ins/end") is everywhere:
                await buyer.send(form)
        assert (await family_of(pool, stranger.family_id))["revoked_at"] is None, "nobody else is signed out"
        assert (await there.client.get("/account")).headers["location"] == "/sign-in"
        kept = dict(buyer.client.cookies)
        out = await buyer.post(form_of(await buyer.open("/account"), "/sign-out"))
        assert out.headers["location"] == "/"
        assert "access" not in buyer.client.cookies
        stolen = {"Cookie": "; ".join(f"{name}={value}" for name, value in kept.items())}
        assert (await other.get("/account", headers=stolen)).headers["location"] == "/sign-in"


async def test_a_password_is_changed(buyer: Buyer, email: str) -> None:
    await enter(buyer, email)
    form = form_of(await buyer.open("/account"), "/account/password")
    wrong = await buyer.send(form, {"password": "not it", "new_password": "quite another password"})
    assert (wrong.status, "The address or the password is wrong." in wrong.text) == (401, True)
    weak = await buyer.send(form, {"password": PASSWORD, "new_password": "password1"})
    assert (weak.status, "Please choose another one" in weak.text) == (422, True)
    done = await buyer.send(form, {"password": PASSWORD, "new_password": "quite another password"})
    assert "Your password is changed" in done.text
    assert (await buyer.open("/account")).status == 200


async def test_registering_says_the_same_to_known_and_unknown(buyer: Buyer, email: str) -> None:
    texts: list[str] = []
    for address in (email, new_email()):
        form = (await buyer.open("/register")).form("/register")
        page = await buyer.send(form, {"email": address, "password": PASSWORD, "name": "Ana"})
        texts.append(f"{page.status} {page.text}")
    assert texts[0] == texts[1]
    assert "Look into your mailbox" in texts[0]


async def test_a_forgotten_password_is_asked_for(buyer: Buyer, email: str, pool: Pool, resources: Resources) -> None:
    texts: list[str] = []
    for address in (email, new_email()):
        form = (await buyer.open("/account/forgotten")).form("/forgotten")
        page = await buyer.send(form, {"email": address})
        texts.append(f"{page.status} {page.text}")
    assert texts[0] == texts[1]
    (mail,) = await send_account_mails(pool, resources, email)
    assert mail["Subject"] == "Set a new password"


async def test_orders_are_shown_to_who_confirmed_the_address(
    buyer: Buyer, email: str, pool: Pool, put_on_sale: Any, people: People
) -> None:
    buyer.client.base_url = httpx.URL("http://tickets.example")
    async with client_of(people.app) as client:
        client.base_url = httpx.URL("http://tickets.example/api/v1")
        order = await Shop(await put_on_sale(), client).order(2, email=email)
    await enter(buyer, email)
    page = await buyer.open("/account/orders")
    assert f"/orders/{order['id']}/{order['secret']}" in page.links
    assert "not paid yet" in page.text
    async with connection(pool, NO_ORGANIZATION) as conn:
        await conn.execute("UPDATE users SET email_verified_at = NULL WHERE email = $1", email)
    accounts_of(people.app).signed_in.forget_user(
        await pool.fetchval("SELECT user_id FROM users WHERE email = $1", email)
    )
    hidden = await buyer.open("/account/orders")
    assert order["id"] not in hidden.answer.text
    assert "Confirm your address first" in hidden.text


@pytest.fixture
async def invitation(pool: Pool, resources: Resources, email: str) -> tuple[UUID, str]:
    """Invite the person, and return the organization and the path in the mail."""
    seller = await make_seller(pool)
    post = InvitationPost(make_id, resources.secret_key)
    async with transaction(pool, seller.organization_id) as conn:
        made = await invite_member(conn, post, seller.organization_id, email, Role.BOX_OFFICE, lambda _: None)
    secret = invitation_secret(resources.secret_key, made.invitation_id)
    return seller.organization_id, "/invitations/" + write_invitation_token(
        seller.organization_id, made.invitation_id, secret
    )


async def members_of(pool: Pool, organization_id: UUID) -> list[str]:
    rows = await pool.fetch("SELECT role FROM members WHERE organization_id = $1", organization_id)
    return [row["role"] for row in rows]


async def test_an_invitation_is_accepted_after_signing_in(
    buyer: Buyer, email: str, pool: Pool, invitation: tuple[UUID, str]
) -> None:
    organization_id, path = invitation
    shown = await buyer.open(path)
    assert "Teatro Aurora invites you" in shown.text
    assert await members_of(pool, organization_id) == [], "looking changes nothing"
    wrong = await buyer.open(path[:-1] + ("A" if path[-1] != "A" else "B"))
    assert wrong.status == 404
    entered = await enter(buyer, email)
    assert entered.path == path, "back to where it began"
    done = await buyer.send(form_of(entered, path))
    assert "Welcome to Teatro Aurora" in done.text
    assert await members_of(pool, organization_id) == ["box_office"]
    again = await buyer.post(form_of(entered, path))
    assert (again.status_code, "This invitation is over." in again.text) == (409, True)


async def test_an_invitation_of_somebody_else_is_not_accepted(
    app: Edge, buyer: Buyer, pool: Pool, invitation: tuple[UUID, str], people: People
) -> None:
    organization_id, path = invitation
    thief = await people.sign_in()
    buyer.client.cookies.set("access", thief.access_token, domain="tickets.example")
    shown = await buyer.open(path)
    assert "the invitation is for another address" in shown.text
    token = form_of(shown, "/sign-out").fields["form"]
    refused = await buyer.client.post(path, data={"form": token}, headers={"Sec-Fetch-Site": "same-origin"})
    assert refused.status_code == 404
    assert await members_of(pool, organization_id) == []
    assert app


async def test_signing_in_elsewhere_ends_with_cookies(buyer: Buyer, provider: IdentityProvider) -> None:
    email = new_email("rui")
    provider.person = {"sub": f"of {email}", "email": email, "email_verified": True, "name": "Rui Lopes"}
    provider.changes = {}
    begun = await buyer.send((await buyer.open("/sign-in")).form("/with/example"))
    assert begun.refresh is not None
    address = begun.refresh.removeprefix("0;url=")
    code, state = provider.agree(address)
    path = "/sign-in/with/example/return"
    async with httpx.AsyncClient(transport=buyer.client._transport, base_url=buyer.client.base_url) as other:
        planted = await other.get(path, params={"code": code, "state": state})
        assert planted.status_code == 401
        assert "access" not in other.cookies, "another browser has not begun it"
    begun = await buyer.send((await buyer.open("/sign-in")).form("/with/example"))
    code, state = provider.agree((begun.refresh or "").removeprefix("0;url="))
    answer = await buyer.client.get(path, params={"code": code, "state": state})
    assert (answer.status_code, answer.headers["location"]) == (303, "/account/orders")
    assert email in (await buyer.open("/account")).text
    again = await buyer.client.get(path, params={"code": code, "state": state})
    assert again.status_code == 401
    refused = await buyer.open(path)
    assert (refused.status, "Signing in there did not work." in refused.text) == (401, True)
