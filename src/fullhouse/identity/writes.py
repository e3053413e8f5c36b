"""Writing users, their sign-ins, and the keys that sign access tokens."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.identity.rules import Lifetimes
from fullhouse.infra.postgres import Connection

_SIGNING_KEYS_LOCK = 0x46484B657973
"""The advisory lock of whoever changes the signing keys ("FHKeys")."""


@dataclass(frozen=True, slots=True)
class NewFamily:
    """A sign-in that begins."""

    family_id: UUID
    user_id: UUID
    token_hash: bytes
    has_second_factor: bool
    client: str
    network_hash: bytes


@dataclass(frozen=True, slots=True)
class LockedFamily:
    """A sign-in as it stands while its row is locked."""

    user_id: UUID
    generation: int
    token_hash: bytes
    is_live: bool
    expires_at: datetime
    refreshed_at: datetime
    now: datetime


async def insert_user(conn: Connection, user_id: UUID, email: str, name: str) -> bool:
    """Enter a user. False where the address has one, who stays as they are."""
    tag = await conn.execute(
        "INSERT INTO users (user_id, email, name) VALUES ($1, $2, $3) ON CONFLICT (lower(email)) DO NOTHING",
        user_id,
        email,
        name,
    )
    return tag == "INSERT 0 1"


async def insert_registered_user(
    conn: Connection, user_id: UUID, who: tuple[str, str, str], password_hash: str
) -> bool:
    """Enter a user with address, name and language, and a password. False where the address has one, who stays."""
    tag = await conn.execute(
        """
        INSERT INTO users (user_id, email, name, language, password_hash, password_changed_at)
        VALUES ($1, $2, $3, $4, $5, clock_timestamp())
        ON CONFLICT (lower(email)) DO NOTHING
        """,
        user_id,
        *who,
        password_hash,
    )
    return tag == "INSERT 0 1"


async def replace_password_hash(conn: Connection, user_id: UUID, old: str, new: str) -> None:
    """Store the same password hashed anew, unless it was changed meanwhile."""
    await conn.execute(
        "UPDATE users SET password_hash = $3 WHERE user_id = $1 AND password_hash = $2", user_id, old, new
    )


async def insert_family(conn: Connection, family: NewFamily, lifetimes: Lifetimes) -> datetime:
    """Enter a sign-in. Return when it ends."""
    expires_at: datetime = await conn.fetchval(
        """
        INSERT INTO token_families
            (family_id, user_id, token_hash, has_second_factor, client, network_hash, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(days => least($7::int, $8::int)))
        RETURNING expires_at
        """,
        family.family_id,
        family.user_id,
        family.token_hash,
        family.has_second_factor,
        family.client,
        family.network_hash,
        lifetimes.idle_days,
        lifetimes.total_days,
    )
    return expires_at


async def lock_family(conn: Connection, family_id: UUID) -> LockedFamily | None:
    """Keep others from this sign-in until the transaction ends. None where there is none."""
    row = await conn.fetchrow(
        """
        SELECT user_id, generation, token_hash, expires_at, refreshed_at, clock_timestamp() AS now,
               revoked_at IS NULL AND expires_at > clock_timestamp() AS is_live
        FROM token_families WHERE family_id = $1 FOR NO KEY UPDATE
        """,
        family_id,
    )
    return None if row is None else LockedFamily(**dict(row))


async def note_refresh(conn: Connection, family_id: UUID, token_hash: bytes, lifetimes: Lifetimes) -> datetime:
    """Store the next generation of a locked sign-in. Return when the sign-in ends now."""
    expires_at: datetime = await conn.fetchval(
        """
        UPDATE token_families
        SET generation = generation + 1, token_hash = $2, refreshed_at = clock_timestamp(),
            expires_at = least(clock_timestamp() + make_interval(days => $3), created_at + make_interval(days => $4))
        WHERE family_id = $1
        RETURNING expires_at
        """,
        family_id,
        token_hash,
        lifetimes.idle_days,
        lifetimes.total_days,
    )
    return expires_at


async def revoke_family(conn: Connection, family_id: UUID) -> None:
    """End a sign-in; one that has ended keeps its instant."""
    await conn.execute(
        "UPDATE token_families SET revoked_at = clock_timestamp() WHERE family_id = $1 AND revoked_at IS NULL",
        family_id,
    )


async def lock_signing_keys(conn: Connection) -> None:
    """Keep others from changing the signing keys until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _SIGNING_KEYS_LOCK)


async def insert_signing_key(
    conn: Connection, key_id: str, public_key: bytes, sealed: bytes, ahead_seconds: int
) -> datetime:
    """Enter a key that signs after some seconds. Return when."""
    signs_from: datetime = await conn.fetchval(
        """
        INSERT INTO signing_keys (key_id, public_key, sealed_private_key, signs_from)
        VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4)) RETURNING signs_from
        """,
        key_id,
        public_key,
        sealed,
        ahead_seconds,
    )
    return signs_from


async def end_signing_keys(conn: Connection, newest_key_id: str, until: datetime) -> None:
    """Let all keys but the newest verify until an instant; those that have an end keep it."""
    await conn.execute(
        "UPDATE signing_keys SET verifies_until = $2 WHERE key_id <> $1 AND verifies_until IS NULL",
        newest_key_id,
        until,
    )


async def delete_signing_key(conn: Connection, key_id: str) -> bool:
    """Delete a key. False where there is none."""
    tag = await conn.execute("DELETE FROM signing_keys WHERE key_id = $1", key_id)
    return tag == "DELETE 1"


async def delete_old_signing_keys(conn: Connection) -> int:
    """Delete the keys of which no token can be alive."""
    tag = await conn.execute("DELETE FROM signing_keys WHERE verifies_until < clock_timestamp()")
    return int(tag.split()[-1])
