"""The published keys that verify access tokens, for services beside this one."""

from base64 import urlsafe_b64encode

from fastapi import APIRouter, Response

from fullhouse.access.accounts.parts import AccountsDep
from fullhouse.access.http import public
from fullhouse.identity.tokens.access_token import ALGORITHM
from fullhouse.infra.http import ApiModel

KEPT_SECONDS = 300
"""How long others may keep the set. A new key signs after three times as long."""

router = APIRouter(tags=["accounts"])


class PublicKeyAnswer(ApiModel):
    """A key of RFC 8037."""

    kty: str = "OKP"
    crv: str = "Ed25519"
    x: str
    kid: str
    alg: str = ALGORITHM
    use: str = "sig"


class KeySetAnswer(ApiModel):
    """A JWK set (RFC 7517)."""

    keys: list[PublicKeyAnswer]


@router.get("/.well-known/jwks.json", dependencies=[public()])
async def get_key_set(accounts: AccountsDep, response: Response) -> KeySetAnswer:
    """Show the public keys of access tokens: the one that signs, the next one, and those before that still verify."""
    keys = await accounts.means.keys.list_keys()
    response.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
    return KeySetAnswer(
        keys=[
            PublicKeyAnswer(x=urlsafe_b64encode(key.public_key).rstrip(b"=").decode(), kid=key.key_id) for key in keys
        ]
    )
