"""Making the next key that signs access tokens, and letting go of old ones."""

from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fullhouse.core.clock import Randomness
from fullhouse.identity.queries import StoredSigningKey, load_signing_keys
from fullhouse.identity.rules import ACCESS_SECONDS_MAX
from fullhouse.identity.tokens.key_writes import (
    delete_old_signing_keys,
    delete_signing_key,
    end_signing_keys,
    insert_signing_key,
    lock_signing_keys,
)
from fullhouse.identity.tokens.sealing import seal, unseal
from fullhouse.infra.postgres import NO_ORGANIZATION, Connection, Pool, transaction

KEY_PURPOSE = "signing-key"

AHEAD_SECONDS = 900
"""How long a key is published before it signs: three times what the key set may be kept for."""

OVERLAP_SECONDS = ACCESS_SECONDS_MAX + 60
"""How long a key verifies after its successor began to sign: the life of a token, and a minute for late processes."""

AGE_DAYS_MAX = 30


async def make_first_key(conn: Connection, server_key: bytes, randomness: Randomness) -> None:
    """Make a key that signs at once, unless there is one that can. Two callers at once make one key."""
    await lock_signing_keys(conn)
    stored, now = await load_signing_keys(conn)
    if not any(_signs(server_key, key, now) for key in stored):
        await _make_key(conn, server_key, randomness, ahead_seconds=0)


async def rotate_signing_keys(conn: Connection, server_key: bytes, randomness: Randomness) -> StoredSigningKey:
    """Make the next key, published now, signing in a quarter of an hour. One that is waiting already is returned.

    A key that nobody could check yet would sign nothing that others believe: so where there is none at all, the
    first one signs at once.
    """
    await lock_signing_keys(conn)
    stored, now = await load_signing_keys(conn)
    ours = [key for key in stored if _opens(server_key, key)]
    waiting = [key for key in ours if key.signs_from > now]
    if waiting:
        return waiting[-1]
    return await _make_key(conn, server_key, randomness, ahead_seconds=AHEAD_SECONDS if ours else 0)


async def revoke_signing_key(conn: Connection, server_key: bytes, randomness: Randomness, key_id: str) -> bool:
    """Take a key that others may know out of use at once, and see that another one signs.

    What it signed is refused within five seconds; clients refresh and go on. False if there is no such key.
    """
    await lock_signing_keys(conn)
    if not await delete_signing_key(conn, key_id):
        return False
    stored, now = await load_signing_keys(conn)
    if not any(_signs(server_key, key, now) for key in stored):
        await _make_key(conn, server_key, randomness, ahead_seconds=0)
    return True


async def rotate_due_signing_keys(
    pool: Pool, server_key: bytes, randomness: Randomness, *, age_days_max: int = AGE_DAYS_MAX
) -> int:
    """Make the next key where the newest is old, and delete what nothing needs any more. Return how much was done."""
    async with transaction(pool, NO_ORGANIZATION) as conn:
        await lock_signing_keys(conn)
        done = await delete_old_signing_keys(conn)
        stored, now = await load_signing_keys(conn)
        newest = max((key.signs_from for key in stored if _opens(server_key, key)), default=None)
        if newest is not None and newest + timedelta(days=age_days_max) <= now:
            await _make_key(conn, server_key, randomness, ahead_seconds=AHEAD_SECONDS)
            done += 1
    return done


async def _make_key(
    conn: Connection, server_key: bytes, randomness: Randomness, *, ahead_seconds: int
) -> StoredSigningKey:
    secret = randomness(32)
    public_key = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    key_id = thumbprint(public_key)
    sealed = seal(server_key, KEY_PURPOSE, secret, key_id.encode(), randomness)
    signs_from = await insert_signing_key(conn, key_id, public_key, sealed, ahead_seconds)
    await end_signing_keys(conn, key_id, signs_from + timedelta(seconds=OVERLAP_SECONDS))
    return StoredSigningKey(key_id, public_key, sealed, signs_from, None)


def thumbprint(public_key: bytes) -> str:
    """Name a key by its JWK thumbprint (RFC 7638)."""
    x = urlsafe_b64encode(public_key).rstrip(b"=").decode()
    canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'
    return urlsafe_b64encode(sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def _signs(server_key: bytes, key: StoredSigningKey, now: datetime) -> bool:
    """Say whether a key can sign, and verifies for as long as what it signs may live."""
    return key.verifies_until is None and key.signs_from <= now and _opens(server_key, key)


def _opens(server_key: bytes, key: StoredSigningKey) -> bool:
    return unseal(server_key, KEY_PURPOSE, key.sealed, key.key_id.encode()) is not None
