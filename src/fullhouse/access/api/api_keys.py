"""Routes of API keys."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, model_validator

from fullhouse.access.http import ApiKeysDep, requires
from fullhouse.access.policies.role import check_gives
from fullhouse.access.rules import PERMISSIONS, Grant, Permission
from fullhouse.core.actor import ActorKind
from fullhouse.core.errors import invalid_field
from fullhouse.infra.directory import find_organization
from fullhouse.infra.http import (
    ApiModel,
    Cursor,
    Instant,
    Limit,
    Page,
    ResourcesDep,
    ShortName,
    decode_cursor,
    page_of,
    problems,
)
from fullhouse.infra.postgres import Connection, Pool, connection, transaction
from fullhouse.organizations.issue_api_key import issue_api_key
from fullhouse.organizations.queries import list_api_keys, load_api_key
from fullhouse.organizations.revoke_api_key import revoke_api_key
from fullhouse.organizations.rules import ApiKey, NewApiKey, Role

router = APIRouter(tags=["organizations"])
_LIST = "api_keys"
BOUND_MAX = 100
"""How many sessions, and how many gates, a key may be bound to."""


class NewApiKeyBody(ApiModel):
    """What to issue a key from."""

    name: ShortName
    role: Role
    scopes: Annotated[
        list[Permission] | None,
        Field(min_length=1, max_length=100, description="Permissions of the role; without it, all of them."),
    ] = None
    expires_at: Instant | None = None
    session_ids: Annotated[
        list[UUID], Field(max_length=BOUND_MAX, description="The only sessions that a scanner's key admits to.")
    ] = []  # noqa: RUF012 (never changed: models are frozen)
    gates: Annotated[
        list[ShortName], Field(max_length=BOUND_MAX, description="The only gates that a scanner's key admits at.")
    ] = []  # noqa: RUF012 (the same)

    @model_validator(mode="after")
    def makes_sense(self) -> Self:
        """Scopes narrow the role down, and only what scans is bound to a place."""
        beyond = sorted(set(self.scopes or ()) - PERMISSIONS[self.role])
        if beyond:
            raise ValueError(f"scopes: a {self.role} may not {', '.join(beyond)}")
        if (self.session_ids or self.gates) and self.permissions != PERMISSIONS[Role.SCANNER]:
            raise ValueError("session_ids and gates go with the role scanner, or the scope ticket:scan alone")
        return self

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the key may do."""
        return PERMISSIONS[self.role] if self.scopes is None else frozenset(self.scopes)

    def new_key(self) -> NewApiKey:
        """Return what was sent, as the feature takes it."""
        scopes = None if self.scopes is None else tuple(dict.fromkeys(self.scopes))
        sessions, gates = tuple(dict.fromkeys(self.session_ids)), tuple(dict.fromkeys(self.gates))
        return NewApiKey(self.name, self.role, self.expires_at, scopes, sessions, gates)


class ApiKeyAnswer(ApiModel):
    """A key without its text."""

    id: UUID
    name: str
    role: Role
    scopes: list[str] | None
    session_ids: list[UUID]
    gates: list[str]
    hint: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class IssuedApiKeyAnswer(ApiKeyAnswer):
    """A key with its text, shown this once."""

    key: str


@router.post(
    "/organizations/{organization_id}/api-keys",
    status_code=201,
    responses=problems(404, 409),
)
async def post_api_key(
    organization_id: UUID,
    body: NewApiKeyBody,
    grant: Annotated[Grant, requires("api_key:write")],
    resources: ResourcesDep,
) -> IssuedApiKeyAnswer:
    """Issue a key that may do no more than who asks. Its text is in this answer and nowhere else."""
    check_gives(grant.actor, body.permissions)
    if body.expires_at is not None and body.expires_at <= resources.clock():
        raise invalid_field("expires_at", "Must be in the future.")
    await _check_sessions(resources.pool, organization_id, body.session_ids)
    async with transaction(resources.pool, organization_id) as conn:
        new = await _no_longer_than(conn, grant, body.new_key())
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
    return page_of(_LIST, found, limit, _answer, lambda one: (one.api_key_id,))


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


async def _no_longer_than(conn: Connection, grant: Grant, new: NewApiKey) -> NewApiKey:
    """Let a key that a key issues end when that one does, at the latest."""
    if grant.actor.kind is not ActorKind.API_KEY or grant.actor.actor_id is None:
        return new
    issuer = await load_api_key(conn, grant.organization_id, grant.actor.actor_id)
    if issuer is None or issuer.expires_at is None:
        return new
    return replace(new, expires_at=min(issuer.expires_at, new.expires_at or issuer.expires_at))


async def _check_sessions(pool: Pool, organization_id: UUID, session_ids: Sequence[UUID]) -> None:
    for number, session_id in enumerate(session_ids):
        if await find_organization(pool, "session", session_id) != organization_id:
            raise invalid_field(f"session_ids[{number}]", "There is no such session here.")


def _answer(key: ApiKey) -> ApiKeyAnswer:
    return ApiKeyAnswer(
        id=key.api_key_id,
        name=key.name,
        role=key.role,
        scopes=None if key.scopes is None else list(key.scopes),
        session_ids=list(key.session_ids),
        gates=list(key.gates),
        hint=key.key_hint,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
    )
