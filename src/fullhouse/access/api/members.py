"""Routes of members: their list, roles, and how they leave. They come by invitation."""

from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from fullhouse.access.http import MembersDep, SignedIn, requires, signed_in
from fullhouse.access.policies.role import check_gives_role, check_touches
from fullhouse.access.rules import Grant
from fullhouse.infra.http import (
    ApiModel,
    Cursor,
    Limit,
    Page,
    ResourcesDep,
    decode_cursor,
    page_of,
    problems,
)
from fullhouse.infra.postgres import connection, transaction
from fullhouse.organizations.members.change_role import change_role
from fullhouse.organizations.members.queries import list_members
from fullhouse.organizations.members.remove_member import remove_member
from fullhouse.organizations.rules import Member, MemberNotFound, OrganizationNotFound, Role

router = APIRouter(tags=["members"])
_LIST = "members"

MemberWriter = Annotated[Grant, requires("member:write")]


class RoleBody(ApiModel):
    """The role that a member gets."""

    role: Role


class MemberAnswer(ApiModel):
    """Somebody who works for the organization."""

    user_id: UUID
    email: str
    name: str
    role: Role
    created_at: datetime


@router.get("/organizations/{organization_id}/members", dependencies=[requires("member:read")], responses=problems(404))
async def get_members(
    organization_id: UUID, resources: ResourcesDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[MemberAnswer]:
    """List the members, the oldest account first."""
    after = decode_cursor(_LIST, cursor, (UUID,))
    async with connection(resources.pool, organization_id) as conn:
        found = await list_members(conn, organization_id, after=after[0] if after else None, limit=limit + 1)
    return page_of(_LIST, found, limit, _answer, lambda one: (one.user_id,))


@router.patch("/organizations/{organization_id}/members/{user_id}", responses=problems(404, 409))
async def patch_member(
    organization_id: UUID,
    user_id: UUID,
    body: RoleBody,
    grant: MemberWriter,
    resources: ResourcesDep,
    members: MembersDep,
) -> MemberAnswer:
    """Give a member another role, at most your own. Other processes follow within five seconds, this one at once."""
    check_gives_role(grant.actor, body.role)
    allow = partial(check_touches, grant.actor)
    async with transaction(resources.pool, organization_id) as conn:
        member = await change_role(conn, organization_id, user_id, body.role, allow)
    members.forget(organization_id)
    return _answer(member)


@router.delete("/organizations/{organization_id}/members/{user_id}", status_code=204, responses=problems(404, 409))
async def delete_member(
    organization_id: UUID, user_id: UUID, grant: MemberWriter, resources: ResourcesDep, members: MembersDep
) -> None:
    """Remove a member who stands below you; owners remove anyone. API keys are revoked by themselves."""
    async with transaction(resources.pool, organization_id) as conn:
        await remove_member(conn, organization_id, user_id, partial(check_touches, grant.actor))
    members.forget(organization_id)


@router.post("/organizations/{organization_id}/leave", status_code=204, responses=problems(404, 409))
async def post_leave(
    organization_id: UUID, user: Annotated[SignedIn, signed_in()], resources: ResourcesDep, members: MembersDep
) -> None:
    """Leave an organization, whatever your role; its last owner cannot."""
    try:
        async with transaction(resources.pool, organization_id) as conn:
            await remove_member(conn, organization_id, user.user_id, _anyone)
    except MemberNotFound as stranger:
        raise OrganizationNotFound from stranger
    members.forget(organization_id)


def _anyone(_role: Role) -> None:
    """Allow: everybody may leave."""


def _answer(member: Member) -> MemberAnswer:
    return MemberAnswer(
        user_id=member.user_id,
        email=member.email,
        name=member.name,
        role=member.role,
        created_at=member.created_at,
    )
