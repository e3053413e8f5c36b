"""Reading users, their sign-ins, and the keys that sign access tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.identity.rules import Credentials, User
from fullhouse.infra.postgres import Connection


@dataclass(frozen=True, slots=True)
class StoredSigningKey:
    """A key as it is stored."""

    key_id: str
    public_key: bytes
    sealed: bytes
    signs_from: datetime
    verifies_until: datetime | None


@dataclass(frozen=True, slots=True)
class LiveFamily:
    """A sign-in that has not ended, with what is known of its user now."""

    family_id: UUID
    user_id: UUID
    email: str
    email_verified: bool
    second_factor: bool


async def load_user(conn: Connection, user_id: UUID) -> User | None:
    """Load a user, or None."""
    row = await conn.fetchrow(
        "SELECT user_id, email, name, created_at, language, email_verified_at FROM users WHERE user_id = $1", user_id
    )
    return None if row is None else User(**dict(row))


async def find_user(conn: Connection, email: str) -> User | None:
    """Find the user of a mail address in any case of its letters, or None."""
    row = await conn.fetchrow(
        """
        SELECT user_id, email, name, created_at, language, email_verified_at FROM users
        WHERE lower(email) = lower($1)
        """,
        email,
    )
    return None if row is None else User(**dict(row))


async def find_credentials(conn: Connection, email: str, network_hash: bytes) -> Credentials | None:
    """Find what tells whether a password is that of an address's user, or None."""
    row = await conn.fetchrow(
        """
        SELECT u.user_id, u.email, u.email_verified_at IS NOT NULL AS email_verified, u.password_hash,
               EXISTS (SELECT FROM token_families f WHERE f.user_id = u.user_id AND f.network_hash = $2)
                   AS from_known_network
        FROM users u WHERE lower(u.email) = lower($1)
        """,
        email,
        network_hash,
    )
    return None if row is None else Credentials(**dict(row))


async def load_live_family(conn: Connection, family_id: UUID) -> LiveFamily | None:
    """Load a sign-in that was not ended and has not expired, or None."""
    row = await conn.fetchrow(
        """
        SELECT f.family_id, f.user_id, u.email, u.email_verified_at IS NOT NULL AS email_verified,
               f.has_second_factor AS second_factor
        FROM token_families f JOIN users u USING (user_id)
        WHERE f.family_id = $1 AND f.revoked_at IS NULL AND f.expires_at > clock_timestamp()
        """,
        family_id,
    )
    return None if row is None else LiveFamily(**dict(row))


async def load_signing_keys(conn: Connection) -> tuple[Sequence[StoredSigningKey], datetime]:
    """Load the keys that verify now or will sign, oldest first, and the present instant."""
    rows = await conn.fetch(
        """
        SELECT n.now, k.key_id, k.public_key, k.sealed_private_key AS sealed, k.signs_from, k.verifies_until
        FROM (SELECT clock_timestamp() AS now) n
        LEFT JOIN signing_keys k ON k.verifies_until IS NULL OR k.verifies_until > n.now
        ORDER BY k.signs_from, k.key_id
        """
    )
    keys = [
        StoredSigningKey(row["key_id"], row["public_key"], row["sealed"], row["signs_from"], row["verifies_until"])
        for row in rows
        if row["key_id"] is not None
    ]
    return keys, rows[0]["now"]
