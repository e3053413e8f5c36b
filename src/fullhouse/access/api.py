"""Routes of organizations and their API keys. They stand here because they need to know who may call them."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter

from fullhouse.access.http import ApiKeysDep, requires
from fullhouse.core.errors import invalid_field
from fullhouse.infra.http import (
    ApiModel,
    Cursor,
    Instant,
    Limit,
    Page,
    ResourcesDep,
    ShortName,
    decode_cursor,
    encode_cursor,
    problems,
)
from fullhouse.infra.postgres import connection, transaction
from fullhouse.organizations.issue_api_key import issue_api_key
from fullhouse.organizations.queries import list_api_keys, load_organization
from fullhouse.organizations.revoke_api_key import revoke_api_key
from fullhouse.organizations.rules import ApiKey, NewApiKey, OrganizationNotFound, Role

router = APIRouter(tags=["organizations"])
_LIST = "api_keys"


class OrganizationAnswer(ApiModel):
    """Who sells."""

    id: UUID
    name: str
    contact_email: str | None
    language: str
    created_at: datetime


class NewApiKeyBody(ApiModel):
    """What to issue a key from."""

    name: ShortName
    role: Role
    expires_at: Instant | None = None


class ApiKeyAnswer(ApiModel):
    """A key without its text."""

    id: UUID
    name: str
    role: Role
    hint: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class IssuedApiKeyAnswer(ApiKeyAnswer):
    """A key with its text, shown this once."""

    key: str


@router.get("/organizations/{organization_id}", dependencies=[requires("organization:read")], responses=problems(404))
async def get_organization(organization_id: UUID, resources: ResourcesDep) -> OrganizationAnswer:
    """Show the organization."""
    async with connection(resources.pool, organization_id) as conn:
        found = await load_organization(conn, organization_id)
    if found is None:
        raise OrganizationNotFound
    return OrganizationAnswer(
        id=found.organization_id,
        name=found.name,
        contact_email=found.contact_email,
        language=found.language,
        created_at=found.created_at,
    )


@router.post(
    "/organizations/{organization_id}/api-keys",
    status_code=201,
    dependencies=[requires("api_key:write")],
    responses=problems(404, 409),
)
async def post_api_key(
    organization_id: UUID,
    body: NewApiKeyBody,
    resources: ResourcesDep,
) -> IssuedApiKeyAnswer:
    """Issue a key. Its text is in this answer and nowhere else, so a repeat issues another key."""
    if body.expires_at is not None and body.expires_at <= resources.clock():
        raise invalid_field("expires_at", "Must be in the future.")
    new = NewApiKey(body.name, body.role, body.expires_at)
    async with transaction(resources.pool, organization_id) as conn:
        key, text = await issue_api_key(conn, resources.make_id, resources.randomness, organization_id, new)
    return IssuedApiKeyAnswer(**_answer(key).model_dump(), key=text)


@router.get(
    "/organizations/{organization_id}/api-keys", dependencies=[requires("api_key:write")], responses=problems(404)
)
async def get_api_keys(
    organization_id: UUID,
    resources: ResourcesDep,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[ApiKeyAnswer]:
    """List the keys, oldest first, revoked ones too."""
    after = decode_cursor(_LIST, cursor, (UUID,))
    async with connection(resources.pool, organization_id) as conn:
        found = await list_api_keys(conn, organization_id, after=after[0] if after else None, limit=limit + 1)
    more = len(found) > limit
    return Page(
        items=[_answer(key) for key in found[:limit]],
        next_cursor=encode_cursor(_LIST, found[limit - 1].api_key_id) if more else None,
    )


@router.delete(
    "/organizations/{organization_id}/api-keys/{api_key_id}",
    status_code=204,
    dependencies=[requires("api_key:write")],
    responses=problems(404),
)
async def delete_api_key(
    organization_id: UUID,
    api_key_id: UUID,
    resources: ResourcesDep,
    api_keys: ApiKeysDep,
) -> None:
    """Revoke a key. It stays in the list; other processes refuse it within five seconds, this one at once."""
    async with transaction(resources.pool, organization_id) as conn:
        await revoke_api_key(conn, organization_id, api_key_id)
    api_keys.forget(api_key_id)


def _answer(key: ApiKey) -> ApiKeyAnswer:
    return ApiKeyAnswer(
        id=key.api_key_id,
        name=key.name,
        role=key.role,
        hint=key.key_hint,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
    )
