"""Routes of organizations: anyone who is signed in may make one; members see it, and owners change it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from fullhouse.access.http import MembersDep, SignedIn, requires, signed_in
from fullhouse.access.rules import Grant, SecondFactorRequired
from fullhouse.core.actor import ActorKind
from fullhouse.core.money import AMOUNT_MINOR_MAX
from fullhouse.identity.messages import NOBODYS_ID
from fullhouse.infra.http import (
    ApiModel,
    Cursor,
    Email,
    Flag,
    IdempotencyKey,
    Limit,
    Name,
    Page,
    ResourcesDep,
    Whole,
    claim_for,
    decode_cursor,
    idempotent,
    page_of,
    problems,
)
from fullhouse.infra.idempotency import Claim, begin, keep
from fullhouse.infra.languages import language_or_default, language_tag
from fullhouse.infra.postgres import Connection, OfUser, connection, transaction
from fullhouse.infra.resources import Resources
from fullhouse.organizations.create_organization import create_organization
from fullhouse.organizations.members.queries import count_owned, list_own_organizations
from fullhouse.organizations.queries import load_organization
from fullhouse.organizations.rules import (
    ORGANIZATIONS_OWNED_MAX,
    NewOrganization,
    Organization,
    OrganizationNotFound,
    Role,
    TooManyOrganizations,
)
from fullhouse.organizations.update_organization import update_organization

router = APIRouter(tags=["organizations"])
_LIST = "own_organizations"

Language = Annotated[str, Field(pattern="^[A-Za-z]{2}([-_][A-Za-z]{2})?$")]


class NewOrganizationBody(ApiModel):
    """What an organization is made from."""

    name: Name
    contact_email: Annotated[Email | None, Field(description="Buyers' answers to mails go there.")] = None
    language: Annotated[Language, Field(description="Of mails to its people.")] = "en"


class OrganizationChangeBody(ApiModel):
    """What changes about an organization; what is left out stays."""

    name: Name = ""
    contact_email: Email | None = None
    language: Language = "en"
    second_factor_required: Annotated[
        Flag, Field(description="Keep out members who signed in without a second factor.")
    ] = False
    refund_limit_minor: Annotated[
        Annotated[Whole, Field(lt=AMOUNT_MINOR_MAX)] | None,
        Field(description="What may be refunded of one order without an owner; null: any amount."),
    ] = None


class OrganizationAnswer(ApiModel):
    """Who sells."""

    id: UUID
    name: str
    contact_email: str | None
    language: str
    second_factor_required: bool
    refund_limit_minor: int | None
    created_at: datetime


class OwnOrganizationAnswer(OrganizationAnswer):
    """An organization, with the asker's own role."""

    role: Role


@router.post("/organizations", status_code=201, responses=problems(409))
async def post_organization(
    body: NewOrganizationBody,
    response: Response,
    user: Annotated[SignedIn, signed_in()],
    resources: ResourcesDep,
    key: IdempotencyKey = None,
) -> OwnOrganizationAnswer:
    """Make an organization and become its owner. A repeat makes another, unless it has the same `Idempotency-Key`."""
    scope = f"organizations:{user.user_id}"
    organization_id = await _choose_id(resources, claim_for(NOBODYS_ID, scope, key, body))
    async with connection(resources.pool, organization_id) as conn:
        is_made = await load_organization(conn, organization_id) is not None
    if not is_made:
        async with connection(resources.pool, OfUser(user.user_id)) as conn:
            if await count_owned(conn, user.user_id) >= ORGANIZATIONS_OWNED_MAX:
                raise TooManyOrganizations(organizations_max=ORGANIZATIONS_OWNED_MAX)
    new = NewOrganization(body.name, body.contact_email or user.email, language_or_default(body.language))

    async def effect(conn: Connection) -> OwnOrganizationAnswer:
        made = await create_organization(conn, lambda: organization_id, resources.clock, new, user.user_id)
        return OwnOrganizationAnswer(**_answer(made).model_dump(), role=Role.OWNER)

    claim = claim_for(organization_id, scope, key, body)
    return await idempotent(resources.pool, organization_id, response, claim, effect, model=OwnOrganizationAnswer)


async def _choose_id(resources: Resources, claim: Claim | None) -> UUID:
    """Choose the id of an organization to be; the same again for the same key, which knows no organization yet.

    Nothing else is done by it: making the organization is guarded by the key a second time.
    """
    if claim is None:
        return resources.make_id()
    async with transaction(resources.pool, NOBODYS_ID) as conn:
        kept = await begin(conn, claim)
        if kept is not None:
            return UUID(kept.answer["id"])
        organization_id = resources.make_id()
        await keep(conn, claim, 201, {"id": str(organization_id)})
    return organization_id


@router.get("/organizations")
async def get_organizations(
    user: Annotated[SignedIn, signed_in()], resources: ResourcesDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[OwnOrganizationAnswer]:
    """List the organizations that you are a member of, the oldest first, with your role in each."""
    after = decode_cursor(_LIST, cursor, (UUID,))
    async with connection(resources.pool, OfUser(user.user_id)) as conn:
        found = await list_own_organizations(conn, user.user_id, after=after[0] if after else None, limit=limit + 1)
    return page_of(
        _LIST,
        found,
        limit,
        lambda one: OwnOrganizationAnswer(**_answer(one.organization).model_dump(), role=one.role),
        lambda one: (one.organization.organization_id,),
    )


@router.get("/organizations/{organization_id}", dependencies=[requires("organization:read")], responses=problems(404))
async def get_organization(organization_id: UUID, resources: ResourcesDep) -> OrganizationAnswer:
    """Show the organization."""
    async with connection(resources.pool, organization_id) as conn:
        found = await load_organization(conn, organization_id)
    if found is None:
        raise OrganizationNotFound
    return _answer(found)


@router.patch("/organizations/{organization_id}", responses=problems(404))
async def patch_organization(
    organization_id: UUID,
    body: OrganizationChangeBody,
    grant: Annotated[Grant, requires("organization:write")],
    resources: ResourcesDep,
    members: MembersDep,
) -> OrganizationAnswer:
    """Change the organization. Whoever asks for a second factor has signed in with one."""
    changes = body.model_dump(exclude_unset=True)
    if "language" in changes:
        changes["language"] = language_or_default(body.language)
    if body.second_factor_required and grant.actor.kind is ActorKind.USER and not grant.actor.second_factor:
        raise SecondFactorRequired
    async with transaction(resources.pool, organization_id) as conn:
        changed = await update_organization(conn, organization_id, changes)
    members.forget(organization_id)
    return _answer(changed)


def _answer(one: Organization) -> OrganizationAnswer:
    return OrganizationAnswer(
        id=one.organization_id,
        name=one.name,
        contact_email=one.contact_email,
        language=language_tag(one.language),
        second_factor_required=one.second_factor_required,
        refund_limit_minor=one.refund_limit_minor,
        created_at=one.created_at,
    )
