"""Routes of invitations: made and revoked by members, accepted by whoever proves to own the address."""

from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from fullhouse.access.http import MembersDep, SignedIn, requires, signed_in
from fullhouse.access.policies.role import check_gives_role
from fullhouse.access.rules import Grant
from fullhouse.infra.http import (
    ApiModel,
    Cursor,
    Email,
    Limit,
    Page,
    ResourcesDep,
    decode_cursor,
    page_of,
    problems,
)
from fullhouse.infra.postgres import connection, transaction
from fullhouse.organizations.members.accept_invitation import accept_invitation
from fullhouse.organizations.members.invitation_token import TOKEN_LENGTH, read_invitation_token
from fullhouse.organizations.members.invite_member import InvitationPost, invite_member
from fullhouse.organizations.members.queries import list_invitations
from fullhouse.organizations.members.revoke_invitation import revoke_invitation
from fullhouse.organizations.rules import Invitation, InvitationStatus, Invitee, Role

router = APIRouter(tags=["members"])
_LIST = "invitations"

MemberWriter = Annotated[Grant, requires("member:write")]


class NewInvitationBody(ApiModel):
    """Who is invited, and as what: at most your own role."""

    email: Email
    role: Role


class InvitationAnswer(ApiModel):
    """An invitation; what accepts it stands in the mail alone."""

    id: UUID
    email: str
    role: Role
    status: InvitationStatus
    created_at: datetime
    expires_at: datetime


class AcceptanceBody(ApiModel):
    """The text from the mail."""

    token: Annotated[str, Field(min_length=TOKEN_LENGTH, max_length=TOKEN_LENGTH)]


class AcceptedAnswer(ApiModel):
    """Where you work now, and as what."""

    organization_id: UUID
    role: Role


@router.post("/organizations/{organization_id}/invitations", status_code=201, responses=problems(404, 409))
async def post_invitation(
    organization_id: UUID, body: NewInvitationBody, grant: MemberWriter, resources: ResourcesDep
) -> InvitationAnswer:
    """Invite somebody by mail, with an account or without. Inviting again sends another mail; the older one is void."""
    post = InvitationPost(resources.make_id, resources.secret_key)
    allow = partial(check_gives_role, grant.actor)
    async with transaction(resources.pool, organization_id) as conn:
        made = await invite_member(conn, post, organization_id, body.email, body.role, allow)
    return _answer(made)


@router.get(
    "/organizations/{organization_id}/invitations", dependencies=[requires("member:read")], responses=problems(404)
)
async def get_invitations(
    organization_id: UUID, resources: ResourcesDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[InvitationAnswer]:
    """List the invitations, the oldest first, those that are over too."""
    after = decode_cursor(_LIST, cursor, (UUID,))
    async with connection(resources.pool, organization_id) as conn:
        found = await list_invitations(conn, organization_id, after=after[0] if after else None, limit=limit + 1)
    return page_of(_LIST, found, limit, _answer, lambda one: (one.invitation_id,))


@router.delete(
    "/organizations/{organization_id}/invitations/{invitation_id}",
    status_code=204,
    responses=problems(404),
)
async def delete_invitation(
    organization_id: UUID, invitation_id: UUID, grant: MemberWriter, resources: ResourcesDep
) -> None:
    """Revoke an invitation to at most your own role. One that is over stays as it is."""
    async with transaction(resources.pool, organization_id) as conn:
        await revoke_invitation(conn, organization_id, invitation_id, partial(check_gives_role, grant.actor))


@router.post("/invitations/accept", responses=problems(403, 404, 409))
async def post_accept(
    body: AcceptanceBody, user: Annotated[SignedIn, signed_in()], resources: ResourcesDep, members: MembersDep
) -> AcceptedAnswer:
    """Accept an invitation with the account of the very address that was invited, once that is verified."""
    organization_id, invitation_id, secret = read_invitation_token(body.token)
    invitee = Invitee(user.user_id, user.email, user.email_verified)
    async with transaction(resources.pool, organization_id) as conn:
        role = await accept_invitation(conn, (organization_id, invitation_id), secret, invitee)
    members.forget(organization_id)
    return AcceptedAnswer(organization_id=organization_id, role=role)


def _answer(one: Invitation) -> InvitationAnswer:
    return InvitationAnswer(
        id=one.invitation_id,
        email=one.email,
        role=one.role,
        status=one.status,
        created_at=one.created_at,
        expires_at=one.expires_at,
    )
