"""Inviting somebody by mail."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.core.secrets import hash_secret
from fullhouse.identity.rules import checked_email
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection
from fullhouse.organizations.members.invitation_token import invitation_secret
from fullhouse.organizations.members.queries import find_member_role, find_open_invitation
from fullhouse.organizations.members.writes import (
    count_open_invitations,
    insert_invitation,
    mark_invitation_revoked,
)
from fullhouse.organizations.messages import MemberInvited
from fullhouse.organizations.rules import (
    INVITATIONS_MAX,
    AlreadyMember,
    Invitation,
    OrganizationNotFound,
    Role,
    TooManyInvitations,
)
from fullhouse.organizations.writes import lock_organization


@dataclass(frozen=True, slots=True)
class InvitationPost:
    """Where ids of invitations come from, and the key that their secrets are derived from."""

    make_id: MakeId
    server_key: bytes


async def invite_member(
    conn: Connection, post: InvitationPost, organization_id: UUID, email: str, role: Role, allow: Callable[[Role], None]
) -> Invitation:
    """Offer a role to whoever owns a mail address, with an account or still without; a worker sends the mail.

    An open invitation to the same address is revoked: its text no longer works, and the new role counts. ``allow`` is
    asked with the role that it and the older one offer, and raises where they may not be given. Raises ``Invalid`` for
    a bad address, ``AlreadyMember``, ``TooManyInvitations``, ``OrganizationNotFound``.
    """
    allow(role)
    address = checked_email(email)
    if not await lock_organization(conn, organization_id):
        raise OrganizationNotFound
    present = await find_member_role(conn, organization_id, address)
    if present is not None:
        raise AlreadyMember(role=present.value)
    older = await find_open_invitation(conn, organization_id, address)
    if older is not None:
        allow(older.role)
        await mark_invitation_revoked(conn, organization_id, older.invitation_id)
    if await count_open_invitations(conn, organization_id) >= INVITATIONS_MAX:
        raise TooManyInvitations(invitations_max=INVITATIONS_MAX)
    invitation_id = post.make_id()
    secret_hash = hash_secret(invitation_secret(post.server_key, invitation_id))
    invitation = await insert_invitation(conn, (organization_id, invitation_id), address, role, secret_hash)
    await append(conn, post.make_id, [MemberInvited(organization_id, invitation_id)])
    await record(conn, organization_id, Act("member.invite", "invitation", invitation_id, {"role": role.value}))
    return invitation
