"""Organizers' routes of events."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from fullhouse.access.http import OpenGrant, requires, requires_where
from fullhouse.access.rules import Grant
from fullhouse.catalogue.announce_event_changed import announce_event_changed
from fullhouse.catalogue.api.answers import EventAnswer, EventDetail, event_answer, event_detail
from fullhouse.catalogue.api.event_bodies import EventBody, EventChangeBody, SimpleEventBody
from fullhouse.catalogue.create_simple_event import create_simple_event
from fullhouse.catalogue.delete_session import delete_unsold_event
from fullhouse.catalogue.queries import list_events_of
from fullhouse.catalogue.show_event import show_event
from fullhouse.events.cancel_event import cancel_event
from fullhouse.events.create_event import create_event
from fullhouse.events.publish_event import publish_event
from fullhouse.events.queries import session_ids_of
from fullhouse.events.update_event import update_event
from fullhouse.infra.http import (
    Cursor,
    IdempotencyKey,
    Limit,
    Page,
    ResourcesDep,
    claim_for,
    decode_cursor,
    idempotent,
    page_of,
    problems,
)
from fullhouse.infra.postgres import Connection, connection, transaction

router = APIRouter(tags=["events"])
_LIST = "events_of_organization"

Writer = Annotated[Grant, requires("event:write")]
OpenWriter = Annotated[OpenGrant, requires_where("event:write")]
Publisher = Annotated[Grant, requires("event:publish")]


@router.get("/organizations/{organization_id}/events", dependencies=[requires("event:read")], responses=problems(404))
async def get_organization_events(
    organization_id: UUID,
    resources: ResourcesDep,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[EventAnswer]:
    """List the organization's events in every state, the newest first."""
    after = decode_cursor(_LIST, cursor, (UUID,))
    async with connection(resources.pool, organization_id) as conn:
        found = await list_events_of(conn, organization_id, after[0] if after else None, limit + 1)
    return page_of(_LIST, found, limit, event_answer, lambda one: (one.event_id,))


@router.post(
    "/organizations/{organization_id}/events",
    status_code=201,
    dependencies=[requires("event:write")],
    responses=problems(404, 409),
)
async def post_event(
    organization_id: UUID, body: EventBody, resources: ResourcesDep, response: Response, key: IdempotencyKey = None
) -> EventDetail:
    """Create an event: a draft that only its organization sees."""

    async def effect(conn: Connection) -> EventDetail:
        event = await create_event(conn, resources.make_id, organization_id, body.fields())
        return event_detail(await show_event(conn, organization_id, event.event_id))

    claim = claim_for(organization_id, "events", key, body)
    return await idempotent(resources.pool, organization_id, response, claim, effect, model=EventDetail)


@router.post("/events", status_code=201, responses=problems(404, 409))
async def post_simple_event(
    body: SimpleEventBody, asker: OpenWriter, resources: ResourcesDep, response: Response, key: IdempotencyKey = None
) -> EventDetail:
    """Create and publish an event with one general-admission session, in one call."""
    grant = await asker.grant_in(body.organization_id)

    async def effect(conn: Connection) -> EventDetail:
        terms = await create_simple_event(conn, resources.make_id, grant.organization_id, body.wish())
        return event_detail(await show_event(conn, grant.organization_id, terms.event_id))

    claim = claim_for(grant.organization_id, "simple_events", key, body)
    return await idempotent(resources.pool, grant.organization_id, response, claim, effect, model=EventDetail)


@router.patch("/events/{event_id}", responses=problems(404, 409))
async def patch_event(event_id: UUID, body: EventChangeBody, grant: Writer, resources: ResourcesDep) -> EventDetail:
    """Change what an event says about itself."""
    async with transaction(resources.pool, grant.organization_id) as conn:
        await update_event(conn, grant.organization_id, event_id, body.changes())
        sessions = await session_ids_of(conn, grant.organization_id, event_id)
        await announce_event_changed(conn, grant.organization_id, sessions)
        return event_detail(await show_event(conn, grant.organization_id, event_id))


@router.delete("/events/{event_id}", status_code=204, responses=problems(404, 409))
async def delete_event(event_id: UUID, grant: Writer, resources: ResourcesDep) -> None:
    """Delete an event of which nothing was ever held."""
    async with transaction(resources.pool, grant.organization_id) as conn:
        await delete_unsold_event(conn, resources.make_id, grant.organization_id, event_id)


@router.post("/events/{event_id}/publish", responses=problems(404, 409))
async def post_publish(event_id: UUID, grant: Publisher, resources: ResourcesDep) -> EventDetail:
    """Make an event public. Publishing again changes nothing."""
    async with transaction(resources.pool, grant.organization_id) as conn:
        sessions = await publish_event(conn, resources.make_id, grant.organization_id, event_id)
        await announce_event_changed(conn, grant.organization_id, sessions)
        return event_detail(await show_event(conn, grant.organization_id, event_id))


@router.post("/events/{event_id}/cancel", responses=problems(404))
async def post_cancel(event_id: UUID, grant: Publisher, resources: ResourcesDep) -> EventDetail:
    """Cancel an event with its sessions. What was sold is refunded by its own call."""
    async with transaction(resources.pool, grant.organization_id) as conn:
        sessions = await cancel_event(conn, resources.make_id, grant.organization_id, event_id)
        await announce_event_changed(conn, grant.organization_id, sessions)
        return event_detail(await show_event(conn, grant.organization_id, event_id))
