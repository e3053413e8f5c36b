"""Taking an invitation back."""

from collections.abc import Callable
from uuid import UUID

from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.organizations.members.queries import load_invitation
from fullhouse.organizations.members.writes import mark_invitation_revoked
from fullhouse.organizations.rules import InvitationNotFound, Role


async def revoke_invitation(
    conn: Connection, organization_id: UUID, invitation_id: UUID, allow: Callable[[Role], None]
) -> None:
    """Let an invitation be accepted no more; one that is over stays as it is.

    ``allow`` is asked with the role that it offers, and raises where that may not be taken back. Raises
    ``InvitationNotFound``.
    """
    invitation = await load_invitation(conn, organization_id, invitation_id)
    if invitation is None:
        raise InvitationNotFound
    allow(invitation.role)
    if await mark_invitation_revoked(conn, organization_id, invitation_id):
        await record(conn, organization_id, Act("member.uninvite", "invitation", invitation_id))
