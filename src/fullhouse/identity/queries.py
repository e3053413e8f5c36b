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
               EXISTS (SELECT FROM second_factors s WHERE s.user_id = u.user_id AND s.confirmed_at IS NOT NULL)
                   AS has_second_factor,
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


@dataclass(frozen=True, slots=True)
class LiveSignIn:
    """A sign-in that has not ended, as its owner tells it from others."""

    family_id: UUID
    client: str
    created_at: datetime
    refreshed_at: datetime
    has_second_factor: bool


async def list_sign_ins(conn: Connection, user_id: UUID, limit: int) -> list[LiveSignIn]:
    """List the sign-ins of a user that have not ended, the latest used first."""
    rows = await conn.fetch(
        """
        SELECT family_id, client, created_at, refreshed_at, has_second_factor FROM token_families
        WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > clock_timestamp()
        ORDER BY refreshed_at DESC LIMIT $2
        """,
        user_id,
        limit,
    )
    return [LiveSignIn(**dict(row)) for row in rows]


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


@dataclass(frozen=True, slots=True)
class AccountMail:
    """A mail that was asked for."""

    kind: str
    email: str
    created_at: datetime


async def load_account_mail(conn: Connection, mail_id: UUID) -> AccountMail | None:
    """Load a mail that is to be sent, or None once it was."""
    row = await conn.fetchrow("SELECT kind, email, created_at FROM account_mails WHERE mail_id = $1", mail_id)
    return None if row is None else AccountMail(**dict(row))


async def find_link(conn: Connection, token_id: UUID, purpose: str, token_hash: bytes) -> User | None:
    """Find whose link this is; None for one that is not known, was used or has expired."""
    row = await conn.fetchrow(
        """
        SELECT u.user_id, u.email, u.name, u.created_at, u.language, u.email_verified_at
        FROM link_tokens l JOIN users u USING (user_id)
        WHERE l.token_id = $1 AND l.purpose = $2 AND l.token_hash = $3 AND l.used_at IS NULL
          AND l.expires_at > clock_timestamp()
        """,
        token_id,
        purpose,
        token_hash,
    )
    return None if row is None else User(**dict(row))


async def has_password(conn: Connection, user_id: UUID) -> bool:
    """Say whether a user has a password."""
    return bool(await conn.fetchval("SELECT password_hash IS NOT NULL FROM users WHERE user_id = $1", user_id))


async def is_family_young(conn: Connection, family_id: UUID, seconds: int) -> bool:
    """Say whether a sign-in was made in the last seconds."""
    return bool(
        await conn.fetchval(
            """
            SELECT created_at > clock_timestamp() - make_interval(secs => $2) FROM token_families WHERE family_id = $1
            """,
            family_id,
            seconds,
        )
    )


async def load_factor(conn: Connection, user_id: UUID) -> tuple[bytes, bool, datetime] | None:
    """Load a second factor: the sealed secret, whether it is confirmed, and the present instant. None without one."""
    row = await conn.fetchrow(
        """
        SELECT sealed_secret, confirmed_at IS NOT NULL AS confirmed, clock_timestamp() AS now
        FROM second_factors WHERE user_id = $1
        """,
        user_id,
    )
    return None if row is None else (row["sealed_secret"], row["confirmed"], row["now"])


async def load_password_changed_at(conn: Connection, user_id: UUID) -> datetime | None:
    """Return when a user's password was set."""
    changed_at: datetime | None = await conn.fetchval(
        "SELECT password_changed_at FROM users WHERE user_id = $1", user_id
    )
    return changed_at


async def find_identity(conn: Connection, issuer: str, subject: str) -> UUID | None:
    """Return the user whom a provider means, or None."""
    user_id: UUID | None = await conn.fetchval(
        "SELECT user_id FROM user_identities WHERE issuer = $1 AND subject = $2", issuer, subject
    )
    return user_id
