"""Confirming an address, forgotten and changed passwords, and the mails and pages of them."""

import asyncio

import httpx
import pytest
from harness.mails import send_account_mails, token_in
from harness.people import PASSWORD, accounts_of, new_email

from fullhouse.identity.open_link import make_link, set_password
from fullhouse.identity.rules import LinkRefused
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection, transaction
from fullhouse.infra.resources import Resources
from fullhouse.web.edge import Edge

API = "/api/v1/auth"
NEW = "quite another password"


@pytest.fixture
async def email(client: httpx.AsyncClient) -> str:
    address = new_email()
    await client.post(f"{API}/register", json={"email": address, "password": PASSWORD, "name": "Ana Souza"})
    return address


async def login(client: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post(f"{API}/login", json={"email": email, "password": password})


async def me(client: httpx.AsyncClient, tokens: dict[str, str]) -> httpx.Response:
    return await client.get(f"{API}/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})


async def test_who_registers_confirms_the_address_by_mail_and_password(
    client: httpx.AsyncClient, pool: Pool, resources: Resources, email: str
) -> None:
    tokens = (await login(client, email)).json()
    (mail,) = await send_account_mails(pool, resources, email)
    assert (mail["Subject"], mail["Auto-Submitted"], mail["Content-Language"]) == (
        "Confirm your mail address",
        "auto-generated",
        "en",
    )
    body = {"token": token_in(mail), "password": "not the password"}
    refused = await client.post(f"{API}/email/verify", json=body)
    assert (refused.status_code, refused.json()["code"]) == (401, "sign_in_refused")
    assert (await me(client, tokens)).json()["email_verified"] is False
    body["password"] = PASSWORD
    assert (await client.post(f"{API}/email/verify", json=body)).status_code == 204
    assert (await me(client, tokens)).json()["email_verified"] is True
    again = await client.post(f"{API}/email/verify", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "link_refused")


async def test_the_owner_of_an_account_hears_that_somebody_registered_again(
    client: httpx.AsyncClient, pool: Pool, resources: Resources, email: str
) -> None:
    (first,) = await send_account_mails(pool, resources, email)
    await client.post(f"{API}/email/verify", json={"token": token_in(first), "password": PASSWORD})
    answer = await client.post(f"{API}/register", json={"email": email, "password": NEW})
    assert answer.status_code == 201
    (mail,) = await send_account_mails(pool, resources, email)
    assert mail["Subject"] == "You already have an account"
    assert "/account/" not in mail.get_content()


async def test_a_forgotten_password_is_set_by_a_link_that_works_once(
    client: httpx.AsyncClient, pool: Pool, resources: Resources, email: str
) -> None:
    tokens = (await login(client, email)).json()
    await send_account_mails(pool, resources, email)
    unknown = await client.post(f"{API}/password/forgotten", json={"email": new_email()})
    known = await client.post(f"{API}/password/forgotten", json={"email": email.upper()})
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content) == (202, b"null")
    (mail,) = await send_account_mails(pool, resources, email)
    assert mail["Subject"] == "Set a new password"
    token = token_in(mail)
    weak = await client.post(f"{API}/password/reset", json={"token": token, "password": "password1"})
    assert weak.status_code == 422
    assert (await client.post(f"{API}/password/reset", json={"token": token, "password": NEW})).status_code == 204
    assert (await client.post(f"{API}/password/reset", json={"token": token, "password": NEW})).status_code == 409
    assert (await me(client, tokens)).status_code == 401, "all sign-ins have ended"
    assert (await client.post(f"{API}/refresh", json={"refresh_token": tokens["refresh_token"]})).status_code == 401
    assert (await login(client, email)).status_code == 401
    entered = (await login(client, email, NEW)).json()
    assert (await me(client, entered)).json()["email_verified"] is True, "the link came by mail"
    (told,) = await send_account_mails(pool, resources, email)
    assert told["Subject"] == "Your password was changed"


async def test_an_unknown_address_is_mailed_nothing(
    client: httpx.AsyncClient, pool: Pool, resources: Resources
) -> None:
    stranger = new_email()
    await client.post(f"{API}/password/forgotten", json={"email": stranger})
    await client.post(f"{API}/email/link", json={"email": stranger})
    assert await send_account_mails(pool, resources, stranger) == []
    async with connection(pool, NO_ORGANIZATION) as conn:
        kept = await conn.fetchval("SELECT count(*) FROM account_mails WHERE email = $1", stranger)
    assert kept == 0, "its address is forgotten"


async def test_a_link_used_twice_at_once_sets_one_password(app: Edge, pool: Pool, email: str) -> None:
    means = accounts_of(app).means
    async with transaction(pool, NO_ORGANIZATION) as conn:
        user_id = await conn.fetchval("SELECT user_id FROM users WHERE email = $1", email)
        path = await make_link(conn, means.make_id, means.server_key, "set_password", user_id)
    token = path.rpartition("/")[2]
    barrier = asyncio.Barrier(2)

    async def one(password: str) -> object:
        await barrier.wait()
        try:
            return await set_password(pool, means, token, password)
        except LinkRefused as refused:
            return type(refused)

    answers = await asyncio.gather(one("the first new one"), one("the second new one"))
    assert sorted(map(str, answers)) == sorted([str(user_id), str(LinkRefused)])


async def test_a_link_opens_only_what_it_is_for_and_only_in_time(
    app: Edge, client: httpx.AsyncClient, pool: Pool, resources: Resources, email: str
) -> None:
    (mail,) = await send_account_mails(pool, resources, email)
    token = token_in(mail)
    for text in (token, "x", "A" * 44, token[:-1] + ("A" if token[-1] != "A" else "B"), token[:43]):
        answer = await client.post(f"{API}/password/reset", json={"token": text, "password": NEW})
        assert (answer.status_code, answer.json()["code"]) == (409, "link_refused")
    async with connection(pool, NO_ORGANIZATION) as conn:
        await conn.execute(
            """
            UPDATE link_tokens SET expires_at = clock_timestamp()
            WHERE user_id = (SELECT user_id FROM users WHERE email = $1)
            """,
            email,
        )
    answer = await client.post(f"{API}/email/verify", json={"token": token, "password": PASSWORD})
    assert answer.status_code == 409
    assert accounts_of(app)


async def test_a_changed_password_ends_the_other_sign_ins(
    client: httpx.AsyncClient, pool: Pool, resources: Resources, email: str
) -> None:
    here, there = (await login(client, email)).json(), (await login(client, email)).json()
    headers = {"Authorization": f"Bearer {here['access_token']}"}
    wrong = await client.post(f"{API}/password", json={"password": "not it", "new_password": NEW}, headers=headers)
    assert (wrong.status_code, wrong.json()["code"]) == (401, "sign_in_refused")
    assert (await login(client, email, NEW)).status_code == 401
    body = {"password": PASSWORD, "new_password": NEW}
    assert (await client.post(f"{API}/password", json=body, headers=headers)).status_code == 204
    assert (await me(client, here)).status_code == 200
    assert (await me(client, there)).status_code == 401
    assert (await client.post(f"{API}/refresh", json={"refresh_token": there["refresh_token"]})).status_code == 401
    assert (await login(client, email, NEW)).status_code == 200
    assert [mail["Subject"] for mail in await send_account_mails(pool, resources, email)][-1] == (
        "Your password was changed"
    )


async def test_mails_speak_the_language_of_their_reader(
    client: httpx.AsyncClient, pool: Pool, resources: Resources
) -> None:
    email = new_email()
    body = {"email": email, "password": PASSWORD, "name": "João", "language": "pt-BR"}
    await client.post(f"{API}/register", json=body)
    (mail,) = await send_account_mails(pool, resources, email)
    assert (mail["Subject"], mail["Content-Language"]) == ("Confirme seu endereço de e-mail", "pt-BR")
    assert "João" in mail.get_content()


async def test_the_page_of_a_link_changes_nothing_until_its_form_is_sent(
    client: httpx.AsyncClient, pool: Pool, resources: Resources, email: str
) -> None:
    (mail,) = await send_account_mails(pool, resources, email)
    path = f"/account/verify/{token_in(mail)}"
    for _ in range(2):
        page = await client.get(path)
        assert page.status_code == 200
        assert email in page.text
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
    wrong = await client.post(path, data={"password": "wrong"})
    assert wrong.status_code == 401
    assert "This is not the password that you registered with." in wrong.text
    elsewhere = await client.post(path, data={"password": PASSWORD}, headers={"Sec-Fetch-Site": "cross-site"})
    assert elsewhere.status_code == 403
    done = await client.post(path, data={"password": PASSWORD})
    assert "Your address is confirmed" in done.text
    gone = await client.get(path, headers={"Accept-Language": "pt-BR"})
    assert gone.status_code == 410
    assert "Este link não funciona mais" in gone.text


async def test_the_page_for_a_new_password(
    client: httpx.AsyncClient, pool: Pool, resources: Resources, email: str
) -> None:
    await send_account_mails(pool, resources, email)
    await client.post(f"{API}/password/forgotten", json={"email": email})
    (mail,) = await send_account_mails(pool, resources, email)
    path = f"/account/password/{token_in(mail)}"
    weak = await client.post(path, data={"password": "password1"})
    assert (weak.status_code, "Please choose another one" in weak.text) == (422, True)
    done = await client.post(path, data={"password": NEW})
    assert "Your password is set" in done.text
    assert (await login(client, email, NEW)).status_code == 200
