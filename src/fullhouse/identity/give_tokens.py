"""Giving a client its tokens: at sign-in, and for each refresh."""

import hmac
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from fullhouse.core.secrets import derive_key, hash_secret
from fullhouse.identity.means import Means
from fullhouse.identity.rules import Client, SignInTokens
from fullhouse.identity.tokens.access_token import AccessClaims, write_token
from fullhouse.identity.tokens.refresh_token import SECRET_BYTES, RefreshToken, write_refresh_token
from fullhouse.identity.writes import NewFamily, insert_family
from fullhouse.infra.client_address import network_of
from fullhouse.infra.postgres import Connection

CLIENT_NAME_LENGTH_MAX = 200


async def open_family(
    conn: Connection, means: Means, user_id: UUID, client: Client, *, second_factor: bool
) -> tuple[UUID, str, datetime]:
    """Begin a sign-in. Return its family, the first refresh token, and when it ends."""
    family_id = means.make_id()
    text = write_refresh_token(means.server_key, RefreshToken(family_id, 1), means.randomness(SECRET_BYTES))
    family = NewFamily(
        family_id=family_id,
        user_id=user_id,
        token_hash=hash_secret(text),
        has_second_factor=second_factor,
        client=client.name[:CLIENT_NAME_LENGTH_MAX],
        network_hash=hash_network(means.server_key, client),
    )
    return family_id, text, await insert_family(conn, family, means.lifetimes)


def hash_network(server_key: bytes, client: Client) -> bytes:
    """Hash where a client is, so that it is known again and yet stands nowhere."""
    return hmac.digest(derive_key(server_key, "network"), network_of(client.address).encode(), sha256)[:16]


async def give_tokens(means: Means, user_id: UUID, family: tuple[UUID, str, datetime]) -> SignInTokens:
    """Sign an access token for a sign-in. It ends no later than the sign-in itself."""
    family_id, refresh_token, family_expires_at = family
    key = await means.keys.find_signing_key()
    if key.private_key is None:
        raise LookupError("a key was chosen to sign that cannot")
    issued_at = (await means.keys.now()).replace(microsecond=0)
    expires_at = min(issued_at + timedelta(seconds=means.lifetimes.access_seconds), family_expires_at)
    claims = AccessClaims(user_id, family_id, means.make_id(), issued_at, expires_at)
    return SignInTokens(
        access_token=write_token(claims, means.keys.issuer, key.key_id, key.private_key),
        access_seconds=int((expires_at - issued_at).total_seconds()),
        refresh_token=refresh_token,
        refresh_seconds=int((family_expires_at - issued_at).total_seconds()),
    )
