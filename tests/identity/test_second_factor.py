"""The second factor: set up, confirmed, asked for, and its recovery codes."""

import asyncio
from base64 import b32decode
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest
import zxingcpp
from harness.mails import send_account_mails
from harness.people import PASSWORD, Person, accounts_of, family_of, make_person, new_email

from fullhouse.identity.rules import SecondFactorRefused
from fullhouse.identity.second_factor.check_code import check_code
from fullhouse.identity.second_factor.recovery import hash_code, make_codes
from fullhouse.identity.second_factor.totp import code_at, find_step, write_uri
from fullhouse.infra import system
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection
from fullhouse.infra.resources import Resources
from fullhouse.web.edge import Edge

API = "/api/v1/auth"
RFC_SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    assert code_at(RFC_SECRET, seconds // 30) == code


def test_a_clock_may_be_one_step_off() -> None:
    now = datetime(2027, 5, 1, 20, 0, 0, tzinfo=UTC)
    step = int(now.timestamp()) // 30
    for off, found in ((-2, None), (-1, step - 1), (0, step), (1, step + 1), (2, None)):
        assert find_step(RFC_SECRET, code_at(RFC_SECRET, step + off), now) == found


def test_what_an_app_reads() -> None:
    uri = urlsplit(write_uri(RFC_SECRET, "ana+x@example.org", "Fullhouse"))
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/Fullhouse:ana%2Bx@example.org")
    assert parse_qs(uri.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["Fullhouse"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }


def test_recovery_codes_are_read_however_they_are_typed() -> None:
    codes = make_codes(system.randomness)
    assert len(set(codes)) == 10
    assert all(len(code) == 19 for code in codes)
    assert hash_code(codes[0]) == hash_code(codes[0].lower().replace("-", " "))


async def make_account(client: httpx.AsyncClient) -> tuple[str, dict[str, Any]]:
    email = new_email()
    await client.post(f"{API}/register", json={"email": email, "password": PASSWORD})
    return email, (await client.post(f"{API}/login", json={"email": email, "password": PASSWORD})).json()


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def now_of(app: Edge) -> datetime:
    return await accounts_of(app).means.keys.now()


async def switch_on(client: httpx.AsyncClient, app: Edge, headers: dict[str, str]) -> tuple[bytes, list[str]]:
    made = await client.post(f"{API}/second-factor", json={"password": PASSWORD}, headers=headers)
    assert made.status_code == 201, made.text
    secret = b32decode(made.json()["secret"])
    # The code of the step before leaves the present one for the next use.
    code = code_at(secret, int((await now_of(app)).timestamp()) // 30 - 1)
    confirmed = await client.post(f"{API}/second-factor/confirm", json={"code": code}, headers=headers)
    assert confirmed.status_code == 200, confirmed.text
    return secret, confirmed.json()["recovery_codes"]


async def code_now(app: Edge, secret: bytes, steps: int = 0) -> str:
    return code_at(secret, int((await now_of(app)).timestamp()) // 30 + steps)


async def test_the_whole_way(client: httpx.AsyncClient, app: Edge, pool: Pool, resources: Resources) -> None:
    email, tokens = await make_account(client)
    _, elsewhere = email, (await client.post(f"{API}/login", json={"email": email, "password": PASSWORD})).json()
    secret, codes = await switch_on(client, app, bearer(tokens))
    assert len(codes) == 10
    assert (await client.get(f"{API}/me", headers=bearer(tokens))).json()["second_factor"] is True
    assert (await client.get(f"{API}/me", headers=bearer(elsewhere))).status_code == 401, "the others have ended"
    needed = await client.post(f"{API}/login", json={"email": email, "password": PASSWORD})
    assert (needed.status_code, needed.json()["code"], needed.json()["expires_in"]) == (
        401,
        "second_factor_needed",
        300,
    )
    challenge = needed.json()["challenge"]
    wrong = await client.post(f"{API}/login/second-factor", json={"challenge": challenge, "code": "000000"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "second_factor_refused")
    body = {"challenge": challenge, "code": await code_now(app, secret)}
    entered = await client.post(f"{API}/login/second-factor", json=body)
    assert entered.status_code == 200
    assert (await client.get(f"{API}/me", headers=bearer(entered.json()))).json()["second_factor"] is True
    again = await client.post(f"{API}/login/second-factor", json=body)
    assert (again.status_code, again.json()["code"]) == (401, "second_factor_refused"), "a code is good once"
    in_one = {"email": email, "password": PASSWORD, "code": await code_now(app, secret, 1)}
    assert (await client.post(f"{API}/login", json=in_one)).status_code == 200
    subjects = [mail["Subject"] for mail in await send_account_mails(pool, resources, email)]
    assert subjects == ["Confirm your mail address", "Your second factor is on"]


async def test_the_picture_holds_the_uri(client: httpx.AsyncClient) -> None:
    _, tokens = await make_account(client)
    made = await client.post(f"{API}/second-factor", json={"password": PASSWORD}, headers=bearer(tokens))
    assert made.json()["qr_svg"].startswith("<svg")
    drawn = zxingcpp.create_barcode(made.json()["uri"], zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    assert made.json()["qr_svg"] in str(drawn.to_svg(scale=1))


async def test_the_password_is_asked_for(client: httpx.AsyncClient) -> None:
    _, tokens = await make_account(client)
    for body in ({}, {"password": "wrong"}):
        answer = await client.post(f"{API}/second-factor", json=body, headers=bearer(tokens))
        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_refused")


async def test_without_a_password_the_sign_in_must_be_young(client: httpx.AsyncClient, app: Edge, pool: Pool) -> None:
    person = await make_person(app, pool)
    assert (await client.post(f"{API}/second-factor", json={}, headers=person.bearer)).status_code == 201
    async with connection(pool, NO_ORGANIZATION) as conn:
        await conn.execute(
            "UPDATE token_families SET created_at = created_at - $2::interval WHERE family_id = $1",
            person.family_id,
            timedelta(minutes=11),
        )
    answer = await client.post(f"{API}/second-factor", json={}, headers=person.bearer)
    assert (answer.status_code, answer.json()["code"]) == (403, "sign_in_again")


async def test_what_is_stored_opens_nothing(client: httpx.AsyncClient, app: Edge, pool: Pool) -> None:
    person = await make_person(app, pool)
    secret, codes = await switch_on_without_password(client, app, person)
    async with connection(pool, NO_ORGANIZATION) as conn:
        factor = await conn.fetchrow("SELECT * FROM second_factors WHERE user_id = $1", person.user_id)
        hashes = await conn.fetch("SELECT code_hash FROM recovery_codes WHERE user_id = $1", person.user_id)
    assert factor is not None
    assert secret not in factor["sealed_secret"]
    assert {row["code_hash"] for row in hashes} == {hash_code(code) for code in codes}


async def switch_on_without_password(client: httpx.AsyncClient, app: Edge, person: Person) -> tuple[bytes, list[str]]:
    return await switch_on(client, app, person.bearer)


async def test_a_recovery_code_used_twice_at_once_opens_once(
    client: httpx.AsyncClient, app: Edge, pool: Pool, resources: Resources
) -> None:
    person = await make_person(app, pool)
    _, codes = await switch_on_without_password(client, app, person)
    assert await race(app, pool, person.user_id, codes[3]) == [False, True]
    assert await race(app, pool, person.user_id, codes[3]) == [False, False]
    mails = [mail["Subject"] for mail in await send_account_mails(pool, resources, person.email)]
    assert mails.count("A recovery code was used") == 1


async def test_a_code_used_twice_at_once_opens_once(client: httpx.AsyncClient, app: Edge, pool: Pool) -> None:
    person = await make_person(app, pool)
    secret, _ = await switch_on_without_password(client, app, person)
    assert await race(app, pool, person.user_id, await code_now(app, secret)) == [False, True]


async def race(app: Edge, pool: Pool, user_id: UUID, code: str) -> list[bool]:
    """Say whether each of two who show the same code at once got in."""
    means = accounts_of(app).means
    barrier = asyncio.Barrier(2)

    async def one() -> bool:
        await barrier.wait()
        try:
            await check_code(pool, means, user_id, code)
        except SecondFactorRefused:
            return False
        return True

    return sorted(await asyncio.gather(one(), one()))


async def test_guessing_codes_is_slowed_down(client: httpx.AsyncClient, app: Edge, pool: Pool) -> None:
    person = await make_person(app, pool)
    secret, _ = await switch_on_without_password(client, app, person)
    good = await code_now(app, secret)
    wrong = "111111" if good != "111111" else "222222"
    means = accounts_of(app).means
    refused: list[str] = []
    for code in [wrong] * 5 + [good]:
        try:
            await check_code(pool, means, person.user_id, code)
        except Exception as error:  # noqa: BLE001
            refused.append(type(error).__name__)
    assert refused == ["SecondFactorRefused"] * 5 + ["TooManyTries"]


async def test_recovery_codes_are_renewed_and_the_factor_switched_off(
    client: httpx.AsyncClient, app: Edge, pool: Pool
) -> None:
    email, tokens = await make_account(client)
    _, codes = await switch_on(client, app, bearer(tokens))
    guarded = {"password": PASSWORD, "code": codes[0]}
    renewed = await client.post(f"{API}/second-factor/recovery-codes", json=guarded, headers=bearer(tokens))
    assert renewed.status_code == 201
    old = await client.post(
        f"{API}/second-factor/remove", json={"password": PASSWORD, "code": codes[1]}, headers=bearer(tokens)
    )
    assert (old.status_code, old.json()["code"]) == (401, "second_factor_refused")
    again = await client.post(f"{API}/second-factor", json={"password": PASSWORD}, headers=bearer(tokens))
    assert (again.status_code, again.json()["code"]) == (409, "second_factor_on")
    body = {"password": PASSWORD, "code": renewed.json()["recovery_codes"][0]}
    assert (await client.post(f"{API}/second-factor/remove", json=body, headers=bearer(tokens))).status_code == 204
    off = await client.post(f"{API}/second-factor/remove", json=body, headers=bearer(tokens))
    assert (off.status_code, off.json()["code"]) == (409, "second_factor_off")
    entered = await client.post(f"{API}/login", json={"email": email, "password": PASSWORD})
    assert entered.status_code == 200
    assert (await client.get(f"{API}/me", headers=bearer(entered.json()))).json()["second_factor"] is False
    async with connection(pool, NO_ORGANIZATION) as conn:
        assert (
            await conn.fetchval("SELECT count(*) FROM recovery_codes WHERE user_id = $1", (await id_of(pool, email)))
            == 0
        )


async def id_of(pool: Pool, email: str) -> UUID:
    async with connection(pool, NO_ORGANIZATION) as conn:
        found: UUID = await conn.fetchval("SELECT user_id FROM users WHERE email = $1", email)
    return found


@pytest.mark.parametrize("text", ["x", "AAAA", "é" * 20, "A" * 300, "=" * 10])
async def test_a_challenge_that_was_not_given_out_goes_nowhere(client: httpx.AsyncClient, text: str) -> None:
    answer = await client.post(f"{API}/login/second-factor", json={"challenge": text, "code": "123456"})
    assert (answer.status_code, answer.json()["code"]) == (401, "second_factor_refused")


async def test_a_challenge_ends_with_the_password_it_was_given_for(
    client: httpx.AsyncClient, app: Edge, pool: Pool
) -> None:
    email, tokens = await make_account(client)
    secret, _ = await switch_on(client, app, bearer(tokens))
    challenge = (await client.post(f"{API}/login", json={"email": email, "password": PASSWORD})).json()["challenge"]
    body = {"password": PASSWORD, "new_password": "quite another password"}
    assert (await client.post(f"{API}/password", json=body, headers=bearer(tokens))).status_code == 204
    answer = await client.post(
        f"{API}/login/second-factor", json={"challenge": challenge, "code": await code_now(app, secret)}
    )
    assert answer.json()["code"] == "second_factor_refused"
    async with connection(pool, NO_ORGANIZATION) as conn:
        families = await conn.fetchval(
            "SELECT count(*) FROM token_families WHERE user_id = $1 AND revoked_at IS NULL", await id_of(pool, email)
        )
    assert families == 1
    assert await family_of(pool, system.make_id()) is None
