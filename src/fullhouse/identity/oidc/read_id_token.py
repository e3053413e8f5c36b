"""Believing an ID token: signed by the provider, for us, for this very attempt."""

# authlib carries no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from fullhouse.identity.oidc.providers import Provider
from fullhouse.identity.rules import ProviderRefused

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""Signatures with public keys alone: with a shared secret, whoever checks could also sign."""

TOKEN_LENGTH_MAX = 16_384
LEEWAY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a provider means."""

    subject: str
    email: str | None
    email_verified: bool
    name: str


def read_id_token(text: str, keys: Mapping[str, Any], provider: Provider, nonce: str, now: datetime) -> Identity:
    """Return whom a token means. Raises ``ProviderRefused`` for whatever is wrong with it."""
    if len(text) > TOKEN_LENGTH_MAX:
        raise ProviderRefused
    try:
        key_set = KeySet.import_key_set(cast("Any", keys))
        token = jwt.decode(text, key_set, algorithms=list(ALGORITHMS))
        options: Any = {"iss": {"essential": True, "value": provider.issuer}}
        params = {"nonce": nonce, "client_id": provider.client_id}
        claims = CodeIDToken(token.claims, token.header, options, params)
        claims.validate(now=int(now.timestamp()), leeway=LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError, AttributeError) as forged:
        raise ProviderRefused from forged
    found = token.claims
    audience = found.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    subject = found.get("sub")
    if found.get("iss") != provider.issuer or provider.client_id not in audiences:
        raise ProviderRefused
    if not isinstance(subject, str) or not 1 <= len(subject) <= 255:
        raise ProviderRefused
    if not hmac.compare_digest(str(found.get("nonce")).encode(), nonce.encode()):
        raise ProviderRefused
    email, name = found.get("email"), found.get("name")
    return Identity(
        subject=subject,
        email=email if isinstance(email, str) else None,
        email_verified=found.get("email_verified") is True,
        name=name[:200] if isinstance(name, str) and name.isprintable() else "",
    )
