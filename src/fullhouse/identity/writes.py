"""Writing users, their sign-ins, here and elsewhere, and the links that they are sent."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.identity.rules import Lifetimes
from fullhouse.infra.postgres import Connection


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
class StoredAttempt:
    """A sign-in elsewhere that was begun."""

    provider: str
    sealed: bytes
    browser_hash: bytes


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


async def revoke_families(conn: Connection, user_id: UUID, *, except_family: UUID | None) -> None:
    """End all sign-ins of a user but one."""
    await conn.execute(
        """
        UPDATE token_families SET revoked_at = clock_timestamp()
        WHERE user_id = $1 AND family_id IS DISTINCT FROM $2 AND revoked_at IS NULL
        """,
        user_id,
        except_family,
    )


async def replace_password(conn: Connection, user_id: UUID, password_hash: str) -> None:
    """Store a new password."""
    await conn.execute(
        "UPDATE users SET password_hash = $2, password_changed_at = clock_timestamp() WHERE user_id = $1",
        user_id,
        password_hash,
    )


async def mark_verified(conn: Connection, user_id: UUID) -> bool:
    """Note that a user's address is theirs. False where that was known."""
    tag = await conn.execute(
        """
        UPDATE users SET email_verified_at = clock_timestamp() WHERE user_id = $1 AND email_verified_at IS NULL
        """,
        user_id,
    )
    return tag == "UPDATE 1"


async def insert_account_mail(conn: Connection, mail_id: UUID, kind: str, email: str) -> None:
    """Enter a mail that is to be sent."""
    await conn.execute("INSERT INTO account_mails (mail_id, kind, email) VALUES ($1, $2, $3)", mail_id, kind, email)


async def delete_account_mail(conn: Connection, mail_id: UUID) -> None:
    """Forget a mail that was sent, with its address."""
    await conn.execute("DELETE FROM account_mails WHERE mail_id = $1", mail_id)


async def insert_link_token(
    conn: Connection, ids: tuple[UUID, UUID], purpose: str, token_hash: bytes, hours: int
) -> None:
    """Enter a link: ids of link and user. One that is there stays as it is."""
    await conn.execute(
        """
        INSERT INTO link_tokens (token_id, user_id, purpose, token_hash, expires_at)
        VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(hours => $5))
        ON CONFLICT DO NOTHING
        """,
        *ids,
        purpose,
        token_hash,
        hours,
    )


async def use_link_token(conn: Connection, token_id: UUID, purpose: str, token_hash: bytes) -> bool:
    """Use a link up. False for one that is not known, was used or has expired."""
    tag = await conn.execute(
        """
        UPDATE link_tokens SET used_at = clock_timestamp()
        WHERE token_id = $1 AND purpose = $2 AND token_hash = $3 AND used_at IS NULL
          AND expires_at > clock_timestamp()
        """,
        token_id,
        purpose,
        token_hash,
    )
    return tag == "UPDATE 1"


async def void_links(conn: Connection, user_id: UUID, purpose: str) -> None:
    """Let the other links of a user for the same purpose open nothing."""
    await conn.execute(
        "UPDATE link_tokens SET used_at = clock_timestamp() WHERE user_id = $1 AND purpose = $2 AND used_at IS NULL",
        user_id,
        purpose,
    )


async def mark_family_second_factor(conn: Connection, family_id: UUID, *, has_second_factor: bool) -> None:
    """Note whether a sign-in was made with a second factor."""
    await conn.execute(
        "UPDATE token_families SET has_second_factor = $2 WHERE family_id = $1", family_id, has_second_factor
    )


async def insert_attempt(conn: Connection, state_hash: bytes, attempt: StoredAttempt, seconds: int) -> None:
    """Enter a sign-in elsewhere that was begun."""
    await conn.execute(
        """
        INSERT INTO provider_attempts (state_hash, provider, sealed, browser_hash, expires_at)
        VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))
        """,
        state_hash,
        attempt.provider,
        attempt.sealed,
        attempt.browser_hash,
        seconds,
    )


async def take_attempt(conn: Connection, state_hash: bytes) -> StoredAttempt | None:
    """Take a sign-in elsewhere out, once; None for one that is not known, was taken or has expired."""
    row = await conn.fetchrow(
        """
        DELETE FROM provider_attempts WHERE state_hash = $1
        RETURNING provider, sealed, browser_hash, expires_at > clock_timestamp() AS is_live
        """,
        state_hash,
    )
    if row is None or not row["is_live"]:
        return None
    return StoredAttempt(row["provider"], row["sealed"], row["browser_hash"])


async def insert_identity(conn: Connection, issuer: str, subject: str, user_id: UUID) -> None:
    """Note whom a provider means; what it said first stays."""
    await conn.execute(
        "INSERT INTO user_identities (issuer, subject, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        issuer,
        subject,
        user_id,
    )


async def drop_password(conn: Connection, user_id: UUID) -> None:
    """Take a password away that nobody has shown to belong to the address's owner."""
    await conn.execute(
        "UPDATE users SET password_hash = NULL, password_changed_at = clock_timestamp() WHERE user_id = $1", user_id
    )


async def delete_what_ended(conn: Connection) -> int:
    """Delete sign-ins ninety days after their end, links after a day, and attempts elsewhere that were not finished."""
    tags = [
        await conn.execute("DELETE FROM token_families WHERE expires_at < clock_timestamp() - interval '90 days'"),
        await conn.execute("DELETE FROM link_tokens WHERE expires_at < clock_timestamp() - interval '1 day'"),
        await conn.execute("DELETE FROM provider_attempts WHERE expires_at < clock_timestamp()"),
    ]
    return sum(int(tag.split()[-1]) for tag in tags)
