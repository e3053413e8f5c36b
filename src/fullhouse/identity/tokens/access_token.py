"""Access tokens: JSON Web Tokens signed with Ed25519, in exactly one form. Pure.

The header is ``{"alg": "EdDSA", "typ": "at+jwt", "kid": …}`` (RFC 8037, RFC 9068) and nothing else: no ``crit``, no
``jwk``, ``jku`` or ``x5u``, so that a token cannot choose how it is checked. There is one text for a token: another
spelling of the same bytes, a name that stands twice, or a number that is no integer is refused.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM = "EdDSA"
TOKEN_TYPE = "at+jwt"  # noqa: S105 (the type's name)
TOKEN_LENGTH_MAX = 2048
KEY_ID_LENGTH = 43

_SIGNATURE_BYTES = 64
_PART = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_KEY_ID = re.compile(rf"[A-Za-z0-9_-]{{{KEY_ID_LENGTH}}}", re.ASCII)
_CLAIMS = {"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"}
_INSTANT_MAX = 253_402_300_799
"""The last second of the year 9999."""


class TokenRefused(Exception):
    """The text is no access token of ours, or not one for now. Why is nobody's business but ours."""


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a token says: who, by which sign-in, and from when until when."""

    user_id: UUID
    family_id: UUID
    token_id: UUID
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A token whose form is right. Believe nothing but ``key_id``, to find the key, before ``verify_token``."""

    key_id: str
    signed: bytes
    signature: bytes
    payload: bytes


def looks_like_token(text: str) -> bool:
    """Say whether a credential has the form of a token, three parts with dots between; API keys have no dots."""
    return text.count(".") == 2


def write_token(claims: AccessClaims, issuer: str, key_id: str, key: Ed25519PrivateKey) -> str:
    """Write and sign a token. Issuer and audience are both the address of this installation."""
    header = {"alg": ALGORITHM, "kid": key_id, "typ": TOKEN_TYPE}
    issued = int(claims.issued_at.timestamp())
    payload = {
        "iss": issuer,
        "aud": issuer,
        "sub": str(claims.user_id),
        "sid": str(claims.family_id),
        "jti": str(claims.token_id),
        "iat": issued,
        "nbf": issued,
        "exp": int(claims.expires_at.timestamp()),
    }
    signed = f"{_encode(_dump(header))}.{_encode(_dump(payload))}".encode()
    return f"{signed.decode()}.{_encode(key.sign(signed))}"


def read_token(text: str) -> UnverifiedToken:
    """Read the form and the header of a token. Raises ``TokenRefused``."""
    if len(text) > TOKEN_LENGTH_MAX:
        raise TokenRefused
    parts = text.split(".")
    if len(parts) != 3:
        raise TokenRefused
    header, payload, signature = (_decode(part) for part in parts)
    fields = _load(header)
    key_id = fields.get("kid")
    if set(fields) != {"alg", "typ", "kid"} or fields["alg"] != ALGORITHM or fields["typ"] != TOKEN_TYPE:
        raise TokenRefused
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id) or len(signature) != _SIGNATURE_BYTES:
        raise TokenRefused
    return UnverifiedToken(key_id, f"{parts[0]}.{parts[1]}".encode(), signature, payload)


def verify_token(token: UnverifiedToken, issuer: str, public_key: bytes) -> AccessClaims:
    """Return the claims once the signature is found good and they are ours. Raises ``TokenRefused``.

    Whether the token is good now is told by ``check_instant``.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(token.signature, token.signed)
    except (InvalidSignature, ValueError) as forged:
        raise TokenRefused from forged
    claims = _load(token.payload)
    if set(claims) != _CLAIMS or claims["iss"] != issuer or claims["aud"] != issuer:
        raise TokenRefused
    issued_at, expires_at = _instant(claims["iat"]), _instant(claims["exp"])
    if _instant(claims["nbf"]) != issued_at:
        raise TokenRefused
    return AccessClaims(
        user_id=_uuid(claims["sub"]),
        family_id=_uuid(claims["sid"]),
        token_id=_uuid(claims["jti"]),
        issued_at=issued_at,
        expires_at=expires_at,
    )


def check_instant(claims: AccessClaims, now: datetime) -> None:
    """Raise ``TokenRefused`` unless the token is good at an instant of the database's clock, to the second."""
    if not claims.issued_at <= now < claims.expires_at:
        raise TokenRefused


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(part: str) -> bytes:
    """Read base64url without padding, in the one spelling that ``_encode`` gives."""
    if not _PART.fullmatch(part):
        raise TokenRefused
    try:
        data = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as unreadable:
        raise TokenRefused from unreadable
    if _encode(data) != part:
        raise TokenRefused
    return data


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _load(data: bytes) -> dict[str, Any]:
    try:
        value: object = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError) as unreadable:
        raise TokenRefused from unreadable
    if not isinstance(value, dict):
        raise TokenRefused
    return cast("dict[str, Any]", value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name that stands twice: readers differ in which of them they believe."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise TokenRefused
    return found


def _refuse(_constant: str) -> None:
    raise TokenRefused


def _instant(value: object) -> datetime:
    if type(value) is not int or not 0 <= value <= _INSTANT_MAX:
        raise TokenRefused
    return datetime.fromtimestamp(value, UTC)


def _uuid(value: object) -> UUID:
    """Read an id in the one spelling that ``str`` gives it."""
    if not isinstance(value, str):
        raise TokenRefused
    try:
        found = UUID(value)
    except ValueError as unreadable:
        raise TokenRefused from unreadable
    if str(found) != value:
        raise TokenRefused
    return found
