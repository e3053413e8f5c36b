"""The route of the audit log. It stands here because it needs to know who may read it."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from fullhouse.access.http import requires
from fullhouse.infra.audit_entries import AuditEntry, AuditFilter, list_audit_entries
from fullhouse.infra.http import (
    ApiModel,
    Cursor,
    Instant,
    Limit,
    Page,
    ResourcesDep,
    decode_cursor,
    page_of,
    problems,
)
from fullhouse.infra.postgres import connection

router = APIRouter(tags=["organizations"])
_LIST = "audit_log"


class AuditActorAnswer(ApiModel):
    """Who did it: an API key or a user by id, or whoever ran a command."""

    kind: str
    id: UUID | None
    label: str


class AuditThingAnswer(ApiModel):
    """What it was done to."""

    kind: str
    id: UUID


class AuditOriginAnswer(ApiModel):
    """From where. It is a person's, so it is erased after a time."""

    address: str
    user_agent: str


class AuditEntryAnswer(ApiModel):
    """One entry. ``number`` and ``hash`` are its place in the chain, which it gets a moment after it was written."""

    id: int
    number: int | None
    hash: str | None
    actor: AuditActorAnswer
    action: str
    thing: AuditThingAnswer
    origin: AuditOriginAnswer | None
    request_id: str | None
    details: dict[str, Any]
    occurred_at: datetime


class AuditQuery(ApiModel):
    """What of the audit log is asked for."""

    actor: Annotated[UUID | None, Query(description="The id of a user or of an API key.")] = None
    action: Annotated[str | None, Query(pattern=r"^[a-z_]{1,50}\.[a-z_]{1,50}$")] = None
    thing: Annotated[UUID | None, Query(description="The id of what it was done to.")] = None
    since: Annotated[Instant | None, Query(alias="from", description="This instant or later.")] = None
    until: Annotated[Instant | None, Query(alias="to", description="Before this instant.")] = None
    cursor: Cursor = None
    limit: Limit = 50


@router.get(
    "/organizations/{organization_id}/audit-log", dependencies=[requires("audit:read")], responses=problems(404)
)
async def get_audit_log(
    organization_id: UUID, query: Annotated[AuditQuery, Query()], resources: ResourcesDep
) -> Page[AuditEntryAnswer]:
    """List who did what to which thing, the newest first."""
    before = decode_cursor(_LIST, query.cursor, (datetime, int))
    wanted = AuditFilter(
        actor_id=query.actor,
        action=query.action,
        thing_id=query.thing,
        since=query.since,
        until=query.until,
        before=(before[0], before[1]) if before else None,
    )
    async with connection(resources.pool, organization_id) as conn:
        found = await list_audit_entries(conn, organization_id, wanted, query.limit + 1)
    return page_of(_LIST, found, query.limit, _answer, lambda entry: (entry.occurred_at, entry.position))


def _answer(entry: AuditEntry) -> AuditEntryAnswer:
    origin = None
    if entry.address is not None:
        origin = AuditOriginAnswer(address=entry.address, user_agent=entry.user_agent or "")
    return AuditEntryAnswer(
        id=entry.position,
        number=entry.number,
        hash=entry.hash.hex() if entry.hash else None,
        actor=AuditActorAnswer(kind=entry.actor_kind, id=entry.actor_id, label=entry.actor_label),
        action=entry.action,
        thing=AuditThingAnswer(kind=entry.thing_kind, id=entry.thing_id),
        origin=origin,
        request_id=entry.request_id,
        details=entry.details,
        occurred_at=entry.occurred_at,
    )
