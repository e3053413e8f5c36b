"""Reading members and invitations."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record
from fullhouse.organizations.rules import (
    Invitation,
    InvitationStatus,
    Member,
    Organization,
    OwnOrganization,
    Role,
)


async def load_member(conn: Connection, organization_id: UUID, user_id: UUID) -> Member | None:
    """Load a member, or None."""
    row = await conn.fetchrow(
        """
        SELECT m.organization_id, m.user_id, u.email, u.name, m.role, m.created_at
        FROM members m JOIN users u USING (user_id)
        WHERE m.organization_id = $1 AND m.user_id = $2
        """,
        organization_id,
        user_id,
    )
    return None if row is None else _member(row)


async def list_members(conn: Connection, organization_id: UUID, *, after: UUID | None, limit: int) -> Sequence[Member]:
    """List members, the oldest account first, those after a user."""
    rows = await conn.fetch(
        """
        SELECT m.organization_id, m.user_id, u.email, u.name, m.role, m.created_at
        FROM members m JOIN users u USING (user_id)
        WHERE m.organization_id = $1 AND ($2::uuid IS NULL OR m.user_id > $2)
        ORDER BY m.user_id LIMIT $3
        """,
        organization_id,
        after,
        limit,
    )
    return [_member(row) for row in rows]


async def find_member_role(conn: Connection, organization_id: UUID, email: str) -> Role | None:
    """Return the role of the member with a mail address, or None."""
    role: str | None = await conn.fetchval(
        """
        SELECT m.role FROM members m JOIN users u USING (user_id)
        WHERE m.organization_id = $1 AND lower(u.email) = lower($2)
        """,
        organization_id,
        email,
    )
    return None if role is None else Role(role)


async def list_own_organizations(
    conn: Connection, user_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[OwnOrganization]:
    """List the organizations that a user is a member of, the oldest first, those after an id."""
    rows = await conn.fetch(
        """
        SELECT o.organization_id, o.name, o.contact_email, o.language, o.created_at, o.second_factor_required,
               o.refund_limit_minor, m.role
        FROM members m JOIN organizations o USING (organization_id)
        WHERE m.user_id = $1 AND ($2::uuid IS NULL OR m.organization_id > $2)
        ORDER BY m.organization_id LIMIT $3
        """,
        user_id,
        after,
        limit,
    )
    found: list[OwnOrganization] = []
    for row in rows:
        fields: dict[str, Any] = dict(row)
        role = Role(fields.pop("role"))
        found.append(OwnOrganization(Organization(**fields), role))
    return found


async def count_owned(conn: Connection, user_id: UUID) -> int:
    """Count the organizations that a user owns."""
    count: int = await conn.fetchval(
        "SELECT count(organization_id) FROM members WHERE user_id = $1 AND role = 'owner'", user_id
    )
    return count


async def load_invitation(conn: Connection, organization_id: UUID, invitation_id: UUID) -> Invitation | None:
    """Load an invitation, open or over, or None."""
    row = await conn.fetchrow(
        """
        SELECT organization_id, invitation_id, email, role, created_at, expires_at,
               CASE WHEN status = 'open' AND expires_at <= clock_timestamp() THEN 'expired' ELSE status END AS status
        FROM invitations WHERE organization_id = $1 AND invitation_id = $2
        """,
        organization_id,
        invitation_id,
    )
    return None if row is None else invitation_of(row)


async def find_open_invitation(conn: Connection, organization_id: UUID, email: str) -> Invitation | None:
    """Find the invitation of an address that is neither accepted nor revoked, or None."""
    row = await conn.fetchrow(
        """
        SELECT organization_id, invitation_id, email, role, status, created_at, expires_at
        FROM invitations WHERE organization_id = $1 AND lower(email) = lower($2) AND status = 'open'
        """,
        organization_id,
        email,
    )
    return None if row is None else invitation_of(row)


async def load_secret_hash(conn: Connection, organization_id: UUID, invitation_id: UUID) -> bytes | None:
    """Load the hash of an invitation's secret, or None where there is no such invitation."""
    found: bytes | None = await conn.fetchval(
        "SELECT secret_hash FROM invitations WHERE organization_id = $1 AND invitation_id = $2",
        organization_id,
        invitation_id,
    )
    return found


async def is_invitation_mailed(conn: Connection, organization_id: UUID, invitation_id: UUID) -> bool:
    """Say whether the mail of an invitation was sent."""
    found: bool | None = await conn.fetchval(
        "SELECT mailed_at IS NOT NULL FROM invitations WHERE organization_id = $1 AND invitation_id = $2",
        organization_id,
        invitation_id,
    )
    return bool(found)


async def list_invitations(
    conn: Connection, organization_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[Invitation]:
    """List invitations, the oldest first, those after an id; the ones that are over too."""
    rows = await conn.fetch(
        """
        SELECT organization_id, invitation_id, email, role, created_at, expires_at,
               CASE WHEN status = 'open' AND expires_at <= clock_timestamp() THEN 'expired' ELSE status END AS status
        FROM invitations WHERE organization_id = $1 AND ($2::uuid IS NULL OR invitation_id > $2)
        ORDER BY invitation_id LIMIT $3
        """,
        organization_id,
        after,
        limit,
    )
    return [invitation_of(row) for row in rows]


def invitation_of(row: Record) -> Invitation:
    """Read a row."""
    fields: dict[str, Any] = {**row, "role": Role(row["role"]), "status": InvitationStatus(row["status"])}
    return Invitation(**fields)


def _member(row: Record) -> Member:
    fields: dict[str, Any] = {**row, "role": Role(row["role"])}
    return Member(**fields)
