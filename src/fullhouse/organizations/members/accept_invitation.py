"""Accepting an invitation, with an account whose address is the one that was invited."""

from uuid import UUID

from fullhouse.core.secrets import same_hash
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.organizations.members.queries import load_invitation, load_secret_hash
from fullhouse.organizations.members.writes import mark_accepted
from fullhouse.organizations.queries import load_membership
from fullhouse.organizations.rules import (
    AddressUnverified,
    AlreadyMember,
    InvitationNotFound,
    InvitationOver,
    InvitationStatus,
    Invitee,
    Role,
)
from fullhouse.organizations.writes import insert_member, lock_organization


async def accept_invitation(conn: Connection, ids: tuple[UUID, UUID], secret: str, invitee: Invitee) -> Role:
    """Make a user a member by an invitation, named by organization and id, and return the role.

    The link alone is not enough: the account's address must be the invited one (in any case of its letters) and
    verified, so a mail that was forwarded lets nobody else in. Raises ``InvitationNotFound`` (also for another
    address), ``AddressUnverified``, ``InvitationOver``, ``AlreadyMember``.
    """
    organization_id, invitation_id = ids
    await lock_organization(conn, organization_id)
    secret_hash = await load_secret_hash(conn, organization_id, invitation_id)
    invitation = await load_invitation(conn, organization_id, invitation_id)
    if invitation is None or secret_hash is None or not same_hash(secret, secret_hash):
        raise InvitationNotFound
    if invitation.email.lower() != invitee.email.lower():
        raise InvitationNotFound
    if not invitee.email_verified:
        raise AddressUnverified
    if invitation.status is not InvitationStatus.OPEN:
        raise InvitationOver(invitation_status=invitation.status.value)
    present = await load_membership(conn, organization_id, invitee.user_id)
    if present is not None:
        raise AlreadyMember(role=present.role.value)
    if not await mark_accepted(conn, organization_id, invitation_id):
        raise InvitationOver(invitation_status=InvitationStatus.EXPIRED.value)
    await insert_member(conn, organization_id, invitee.user_id, invitation.role)
    act = Act("member.join", "user", invitee.user_id, {"role": invitation.role.value})
    await record(conn, organization_id, act)
    return invitation.role
