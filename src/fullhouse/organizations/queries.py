"""Reading organizations and their API keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record
from fullhouse.organizations.rules import ApiKey, Membership, Organization, Role


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is needed to tell whether a presented key is good."""

    organization_id: UUID
    api_key_id: UUID
    role: Role
    key_hash: bytes
    key_hint: str
    expires_at: datetime | None
    use_is_noted: bool
    """Whether its last use was written down less than a minute ago."""
    scopes: tuple[str, ...] | None
    session_ids: tuple[UUID, ...]
    gates: tuple[str, ...]


async def load_organization(conn: Connection, organization_id: UUID) -> Organization | None:
    """Load an organization, or None."""
    row = await conn.fetchrow(
        """
        SELECT organization_id, name, contact_email, language, created_at, second_factor_required, refund_limit_minor
        FROM organizations WHERE organization_id = $1
        """,
        organization_id,
    )
    return None if row is None else Organization(**dict(row))


async def load_refund_limit(conn: Connection, organization_id: UUID) -> int | None:
    """Return what may be refunded of one order without an owner; None: any amount."""
    limit: int | None = await conn.fetchval(
        "SELECT refund_limit_minor FROM organizations WHERE organization_id = $1", organization_id
    )
    return limit


async def find_owned_organization(conn: Connection, user_id: UUID, name: str) -> Organization | None:
    """Find the oldest organization of a name among those that a user owns, or None."""
    row = await conn.fetchrow(
        """
        SELECT o.organization_id, o.name, o.contact_email, o.language, o.created_at,
               o.second_factor_required, o.refund_limit_minor
        FROM members m JOIN organizations o USING (organization_id)
        WHERE m.user_id = $1 AND m.role = 'owner' AND o.name = $2
        ORDER BY o.organization_id LIMIT 1
        """,
        user_id,
        name,
    )
    return None if row is None else Organization(**dict(row))


async def load_membership(conn: Connection, organization_id: UUID, user_id: UUID) -> Membership | None:
    """Load a user's place in an organization, or None for who is not a member."""
    row = await conn.fetchrow(
        """
        SELECT m.organization_id, m.user_id, m.role, o.second_factor_required
        FROM members m JOIN organizations o USING (organization_id)
        WHERE m.organization_id = $1 AND m.user_id = $2
        """,
        organization_id,
        user_id,
    )
    return None if row is None else _membership(row)


async def load_memberships(conn: Connection, user_id: UUID) -> list[Membership]:
    """Load all places of a user, the oldest organization first."""
    rows = await conn.fetch(
        """
        SELECT m.organization_id, m.user_id, m.role, o.second_factor_required
        FROM members m JOIN organizations o USING (organization_id)
        WHERE m.user_id = $1 ORDER BY m.organization_id LIMIT 1000
        """,
        user_id,
    )
    return [_membership(row) for row in rows]


async def load_live_key(conn: Connection, organization_id: UUID, api_key_id: UUID) -> StoredKey | None:
    """Load a key that is neither revoked nor expired, or None."""
    row = await conn.fetchrow(
        """
        SELECT organization_id, api_key_id, role, key_hash, key_hint, expires_at,
               coalesce(last_used_at > clock_timestamp() - interval '60 seconds', false) AS use_is_noted,
               scopes, session_ids, gates
        FROM api_keys
        WHERE organization_id = $1 AND api_key_id = $2 AND revoked_at IS NULL
          AND (expires_at IS NULL OR expires_at > clock_timestamp())
        """,
        organization_id,
        api_key_id,
    )
    return None if row is None else StoredKey(**_with_role(row))


async def load_api_key(conn: Connection, organization_id: UUID, api_key_id: UUID) -> ApiKey | None:
    """Load a key, live or not, or None."""
    row = await conn.fetchrow(
        """
        SELECT organization_id, api_key_id, name, role, key_hint, created_at, expires_at, revoked_at, last_used_at,
               scopes, session_ids, gates
        FROM api_keys WHERE organization_id = $1 AND api_key_id = $2
        """,
        organization_id,
        api_key_id,
    )
    return None if row is None else _api_key(row)


async def list_api_keys(conn: Connection, organization_id: UUID, *, after: UUID | None, limit: int) -> Sequence[ApiKey]:
    """List an organization's keys, oldest first, those after an id."""
    rows = await conn.fetch(
        """
        SELECT organization_id, api_key_id, name, role, key_hint, created_at, expires_at, revoked_at, last_used_at,
               scopes, session_ids, gates
        FROM api_keys
        WHERE organization_id = $1 AND ($2::uuid IS NULL OR api_key_id > $2)
        ORDER BY api_key_id LIMIT $3
        """,
        organization_id,
        after,
        limit,
    )
    return [_api_key(row) for row in rows]


def _membership(row: Record) -> Membership:
    return Membership(row["organization_id"], row["user_id"], Role(row["role"]), row["second_factor_required"])


def _api_key(row: Record) -> ApiKey:
    return ApiKey(**_with_role(row))


def _with_role(row: Record) -> dict[str, Any]:
    lists = {name: tuple(row[name]) for name in ("session_ids", "gates")}
    scopes = None if row["scopes"] is None else tuple(row["scopes"])
    return {**row, **lists, "scopes": scopes, "role": Role(row["role"])}
