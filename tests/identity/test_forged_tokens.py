"""Access tokens under attack: whatever is not exactly a token of ours is refused, each time with the same answer."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from hmac import digest
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from harness.people import Person, accounts_of, make_person

from fullhouse.infra.postgres import Pool
from fullhouse.web.edge import Edge

ORDER = 2**252 + 27742317777372353535851937790883648493
"""Of the group of Ed25519: adding it to the second half of a signature gives the same point."""


def b64(data: bytes | str) -> str:
    return urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


class Forge:
    """A good token taken apart, with our own key: the strongest forger there is."""

    def __init__(self, key: Ed25519PrivateKey, key_id: str, person: Person, issuer: str, now: datetime) -> None:
        self.key, self.key_id, self.person = key, key_id, person
        self.public = key.public_key().public_bytes_raw()
        self.now = int(now.timestamp())
        self.head: dict[str, Any] = {"alg": "EdDSA", "kid": key_id, "typ": "at+jwt"}
        self.claims: dict[str, Any] = {
            "iss": issuer,
            "aud": issuer,
            "sub": str(person.user_id),
            "sid": str(person.family_id),
            "jti": "01a20398-05de-79e3-8967-424b85a3e6cf",
            "iat": self.now - 5,
            "nbf": self.now - 5,
            "exp": self.now + 300,
        }

    def sign(self, head: object = None, claims: object = None, key: Ed25519PrivateKey | None = None) -> str:
        """Sign texts, or what is written as JSON."""
        parts = [
            part if isinstance(part, str) else json.dumps(part)
            for part in (self.head if head is None else head, self.claims if claims is None else claims)
        ]
        signed = ".".join(b64(part) for part in parts)
        return f"{signed}.{b64((key or self.key).sign(signed.encode()))}"

    def with_head(self, **changes: Any) -> str:
        return self.sign({k: v for k, v in {**self.head, **changes}.items() if v is not ...})

    def with_claims(self, **changes: Any) -> str:
        return self.sign(claims={k: v for k, v in {**self.claims, **changes}.items() if v is not ...})

    def hmac(self, secret: bytes) -> str:
        signed = f"{b64(json.dumps({**self.head, 'alg': 'HS256'}))}.{b64(json.dumps(self.claims))}"
        return f"{signed}.{b64(digest(secret, signed.encode(), sha256))}"

    def unsigned(self, alg: str) -> str:
        return f"{b64(json.dumps({**self.head, 'alg': alg}))}.{b64(json.dumps(self.claims))}."

    def rsa(self) -> str:
        key = rsa.generate_private_key(65537, 2048)
        signed = f"{b64(json.dumps({**self.head, 'alg': 'RS256'}))}.{b64(json.dumps(self.claims))}"
        return f"{signed}.{b64(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def ecdsa(self) -> str:
        key = ec.generate_private_key(ec.SECP256R1())
        signed = f"{b64(json.dumps({**self.head, 'alg': 'ES256'}))}.{b64(json.dumps(self.claims))}"
        return f"{signed}.{b64(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))}"

    def pieces(self) -> list[str]:
        return self.sign().split(".")

    def malleable(self) -> str:
        head, claims, signature = self.pieces()
        from base64 import urlsafe_b64decode  # noqa: PLC0415

        data = urlsafe_b64decode(signature + "==")
        second = int.from_bytes(data[32:], "little") + ORDER
        return f"{head}.{claims}.{b64(data[:32] + second.to_bytes(32, 'little'))}"

    def swapped(self) -> str:
        head, claims, _ = self.pieces()
        return f"{head}.{claims}.{self.with_claims(jti='01a20398-05de-79e3-8967-424b85a3e6c0').split('.')[2]}"

    def jwk(self) -> str:
        other = Ed25519PrivateKey.generate()
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(other.public_key().public_bytes_raw())}
        return self.sign({**self.head, "jwk": jwk}, key=other)

    def text(self, change: Callable[[str], str]) -> str:
        return change(self.sign())


OTHER = Ed25519PrivateKey.generate()
DUPLICATED_HEAD = '{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"%s"}'
FORGERIES: dict[str, Callable[[Forge], str]] = {
    **{
        f"alg {alg!r} unsigned": (lambda forge, alg=alg: forge.unsigned(alg))
        for alg in ("none", "None", "NONE", "nOnE", "", "EdDSA")
    },
    "alg none, signed": lambda f: f.with_head(alg="none"),
    "alg null": lambda f: f.with_head(alg=None),
    "alg a list": lambda f: f.with_head(alg=["EdDSA"]),
    "alg missing": lambda f: f.with_head(alg=...),
    "alg in another case": lambda f: f.with_head(alg="eddsa"),
    "alg Ed25519": lambda f: f.with_head(alg="Ed25519"),
    "HS256 with the public key": lambda f: f.hmac(f.public),
    "HS256 with the public key in base64": lambda f: f.hmac(b64(f.public).encode()),
    "HS256 with an empty key": lambda f: f.hmac(b""),
    "RS256": lambda f: f.rsa(),
    "ES256": lambda f: f.ecdsa(),
    "signed by another key": lambda f: f.sign(key=OTHER),
    "crit unknown": lambda f: f.with_head(crit=["exp"]),
    "crit empty": lambda f: f.with_head(crit=[]),
    "b64 false": lambda f: f.with_head(b64=False, crit=["b64"]),
    "kid traversal": lambda f: f.with_head(kid="../../../../../../dev/null"),
    "kid SQL": lambda f: f.with_head(kid="' UNION SELECT 'x' --"),
    "kid unknown": lambda f: f.with_head(kid="A" * 43),
    "kid missing": lambda f: f.with_head(kid=...),
    "kid null": lambda f: f.with_head(kid=None),
    "kid a number": lambda f: f.with_head(kid=1),
    "kid with a NUL": lambda f: f.with_head(kid=f.key_id[:42] + "\x00"),
    "kid of a list": lambda f: f.with_head(kid=[f.key_id]),
    "jku": lambda f: f.with_head(jku="https://attacker.example/keys.json"),
    "x5u": lambda f: f.with_head(x5u="https://attacker.example/cert.pem"),
    "x5c": lambda f: f.with_head(x5c=["MIIB"]),
    "jwk inside": lambda f: f.jwk(),
    "typ JWT": lambda f: f.with_head(typ="JWT"),
    "typ missing": lambda f: f.with_head(typ=...),
    "typ in full": lambda f: f.with_head(typ="application/at+jwt"),
    "cty nested": lambda f: f.with_head(cty="JWT"),
    "audience of others": lambda f: f.with_claims(aud="https://elsewhere.example"),
    "audiences": lambda f: f.with_claims(aud=[f.claims["aud"], "https://elsewhere.example"]),
    "issuer of others": lambda f: f.with_claims(iss="https://elsewhere.example"),
    "issuer with a slash": lambda f: f.with_claims(iss=f.claims["iss"] + "/"),
    "expired": lambda f: f.with_claims(exp=f.now - 1),
    "expires now": lambda f: f.with_claims(exp=f.now),
    "not yet valid": lambda f: f.with_claims(iat=f.now + 60, nbf=f.now + 60),
    "issued later than valid": lambda f: f.with_claims(iat=f.now - 1),
    "exp a text": lambda f: f.with_claims(exp=str(f.now + 300)),
    "exp a float": lambda f: f.with_claims(exp=f.now + 300.5),
    "exp true": lambda f: f.with_claims(exp=True),
    "exp beyond time": lambda f: f.with_claims(exp=10**30),
    "exp negative": lambda f: f.with_claims(exp=-1),
    "exp infinite": lambda f: f.sign(claims=json.dumps(f.claims).replace(str(f.now + 300), "Infinity")),
    **{
        f"{name} missing": (lambda forge, name=name: forge.with_claims(**{name: ...}))
        for name in ("iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp")
    },
    "sub no id": lambda f: f.with_claims(sub="admin"),
    "sub in capitals": lambda f: f.with_claims(sub=str(f.person.user_id).upper()),
    "sub of another": lambda f: f.with_claims(sub="01a20398-05de-79e3-8967-424b85a3e6cf"),
    "sub null": lambda f: f.with_claims(sub=None),
    "sid unknown": lambda f: f.with_claims(sid="01a20398-05de-79e3-8967-424b85a3e6cf"),
    "a claim too many": lambda f: f.with_claims(role="owner"),
    "claims a list": lambda f: f.sign(claims="[]"),
    "claims a text": lambda f: f.sign(claims='"x"'),
    "claims twice": lambda f: f.sign(claims=json.dumps(f.claims)[:-1] + f',"sub":"{f.person.user_id}"}}'),
    "header twice": lambda f: f.sign(DUPLICATED_HEAD % f.key_id),
    "claims no JSON": lambda f: f.sign(claims="{"),
    "claims no UTF-8": lambda f: ".".join([f.pieces()[0], b64(b"\xff\xfe"), f.pieces()[2]]),
    "claims nested deep": lambda f: f.sign(claims="[" * 700),
    "huge": lambda f: f.with_claims(jti="x" * 1_800),
    "huge number": lambda f: f.sign(claims='{"exp":' + "9" * 1_200 + "}"),
    "padded": lambda f: f.text(lambda token: token + "=="),
    "standard base64": lambda f: f.text(lambda token: token[:-1] + "+"),
    "truncated": lambda f: f.text(lambda token: token[:-2]),
    "one bit of the signature": lambda f: f.text(
        lambda token: token[:-5] + ("A" if token[-5] != "A" else "B") + token[-4:]
    ),
    "another spelling of the signature": lambda f: f.text(lambda t: t[:-1] + chr(ord(t[-1]) + 1)),
    "signature malleable": lambda f: f.malleable(),
    "signature of another token": lambda f: f.swapped(),
    "signature empty": lambda f: ".".join([*f.pieces()[:2], ""]),
    "signature of zeros": lambda f: ".".join([*f.pieces()[:2], b64(bytes(64))]),
    "no claims": lambda f: ".".join([f.pieces()[0], "", f.pieces()[2]]),
    "five parts": lambda f: f.text(lambda token: token + ".e30.e30"),
    "two parts": lambda f: f.text(lambda token: token.rpartition(".")[0]),
    "dots": lambda _: "..",
    "a space inside": lambda f: f.text(lambda token: token[:20] + " " + token[20:]),
    "a refresh token": lambda f: f.person.refresh_token,
    "a refresh token in parts": lambda f: f"{f.person.refresh_token}.x.y",
}


@pytest.fixture(scope="module")
async def person(app: Edge, pool: Pool) -> Person:
    return await make_person(app, pool)


@pytest.fixture
async def forge(app: Edge, person: Person) -> Forge:
    keys = accounts_of(app).means.keys
    key = await keys.find_signing_key()
    assert key.private_key is not None
    return Forge(key.private_key, key.key_id, person, keys.issuer, await keys.now())


async def ask(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.get("/api/v1/auth/me", headers=[(b"authorization", b"Bearer " + token.encode())])


async def test_the_forger_could_sign_if_everything_were_right(client: httpx.AsyncClient, forge: Forge) -> None:
    assert (await ask(client, forge.sign())).status_code == 200


def test_there_are_enough_of_them() -> None:
    assert len(FORGERIES) >= 60


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forged_token_is_refused(client: httpx.AsyncClient, forge: Forge, name: str) -> None:
    answer = await ask(client, FORGERIES[name](forge))
    problem = {key: value for key, value in answer.json().items() if key != "request_id"}
    assert (answer.status_code, problem) == (
        401,
        {
            "type": "urn:fullhouse:problem:credential_unknown",
            "title": "The credential is not known, or has expired or been revoked.",
            "status": 401,
            "detail": "The credential is not known, or has expired or been revoked.",
            "code": "credential_unknown",
            "instance": "/api/v1/auth/me",
            "schemes": ["Bearer"],
        },
    )


@pytest.mark.parametrize("text", ["é.é.é", "\u200b.a.b", "𝔢𝔶𝔍.x.y"])
async def test_what_is_not_ascii_is_no_credential(client: httpx.AsyncClient, text: str) -> None:
    assert (await ask(client, text)).status_code == 401


async def test_a_token_of_a_sign_in_that_ended_is_refused(client: httpx.AsyncClient, app: Edge, pool: Pool) -> None:
    ended = await make_person(app, pool)
    assert (await ask(client, ended.access_token)).status_code == 200
    await client.post("/api/v1/auth/logout", headers=ended.bearer)
    assert (await ask(client, ended.access_token)).status_code == 401


async def test_an_access_token_refreshes_nothing(client: httpx.AsyncClient, person: Person) -> None:
    answer = await client.post("/api/v1/auth/refresh", json={"refresh_token": person.access_token})
    assert (answer.status_code, answer.json()["code"]) == (401, "refresh_refused")
