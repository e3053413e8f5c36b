"""Writing members and invitations. Who counts or changes owners holds ``writes.lock_organization``."""

from dataclasses import replace
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.organizations.members.queries import invitation_of
from fullhouse.organizations.rules import INVITATION_SECONDS, Invitation, Member, Role


async def count_owners(conn: Connection, organization_id: UUID) -> int:
    """Count the owners; right only under ``lock_organization``."""
    count: int = await conn.fetchval(
        "SELECT count(*) FROM members WHERE organization_id = $1 AND role = 'owner'", organization_id
    )
    return count


async def set_role(conn: Connection, member: Member, role: Role) -> Member:
    """Write a member's role."""
    await conn.execute(
        "UPDATE members SET role = $3 WHERE organization_id = $1 AND user_id = $2",
        member.organization_id,
        member.user_id,
        role.value,
    )
    return replace(member, role=role)


async def delete_member(conn: Connection, organization_id: UUID, user_id: UUID) -> None:
    """End a membership."""
    await conn.execute("DELETE FROM members WHERE organization_id = $1 AND user_id = $2", organization_id, user_id)


async def count_open_invitations(conn: Connection, organization_id: UUID) -> int:
    """Count the invitations that can be accepted; right only under ``lock_organization``."""
    count: int = await conn.fetchval(
        """
        SELECT count(*) FROM invitations
        WHERE organization_id = $1 AND status = 'open' AND expires_at > clock_timestamp()
        """,
        organization_id,
    )
    return count


async def insert_invitation(
    conn: Connection, ids: tuple[UUID, UUID], email: str, role: Role, secret_hash: bytes
) -> Invitation:
    """Enter an open invitation: ids of organization and invitation, for whom, as what, and its secret's hash."""
    row = await conn.fetchrow(
        """
        INSERT INTO invitations (organization_id, invitation_id, email, role, secret_hash, expires_at)
        VALUES ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6))
        RETURNING organization_id, invitation_id, email, role, status, created_at, expires_at
        """,
        *ids,
        email,
        role.value,
        secret_hash,
        float(INVITATION_SECONDS),
    )
    assert row is not None  # noqa: S101 (an INSERT that did not fail returns its row)
    return invitation_of(row)


async def mark_invitation_revoked(conn: Connection, organization_id: UUID, invitation_id: UUID) -> bool:
    """End an invitation if it is open; False where it is over."""
    tag = await conn.execute(
        """
        UPDATE invitations SET status = 'revoked', ended_at = clock_timestamp()
        WHERE organization_id = $1 AND invitation_id = $2 AND status = 'open'
        """,
        organization_id,
        invitation_id,
    )
    return tag == "UPDATE 1"


async def mark_accepted(conn: Connection, organization_id: UUID, invitation_id: UUID) -> bool:
    """Use an invitation up, once. False where it is over."""
    tag = await conn.execute(
        """
        UPDATE invitations SET status = 'accepted', ended_at = clock_timestamp()
        WHERE organization_id = $1 AND invitation_id = $2 AND status = 'open' AND expires_at > clock_timestamp()
        """,
        organization_id,
        invitation_id,
    )
    return tag == "UPDATE 1"


async def mark_mailed(conn: Connection, organization_id: UUID, invitation_id: UUID) -> None:
    """Write down that the mail of an invitation was sent."""
    await conn.execute(
        "UPDATE invitations SET mailed_at = clock_timestamp() WHERE organization_id = $1 AND invitation_id = $2",
        organization_id,
        invitation_id,
    )
