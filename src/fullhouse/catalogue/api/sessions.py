"""Organizers' routes of sessions."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from fullhouse.access.http import requires
from fullhouse.access.rules import Grant
from fullhouse.catalogue.api.answers import SessionDetail, session_detail
from fullhouse.catalogue.api.session_bodies import SessionBody, SessionChangeBody
from fullhouse.catalogue.cancel_session import cancel_session
from fullhouse.catalogue.delete_session import delete_session as delete_unsold_session
from fullhouse.catalogue.schedule_session import schedule_session
from fullhouse.catalogue.show_event import show_session
from fullhouse.catalogue.update_session import update_session
from fullhouse.events.queries import load_event
from fullhouse.events.rules import EventNotFound
from fullhouse.infra.http import IdempotencyKey, ResourcesDep, claim_for, idempotent, problems
from fullhouse.infra.postgres import Connection, transaction

router = APIRouter(tags=["sessions"])

Scheduler = Annotated[Grant, requires("session:write")]


@router.post("/events/{event_id}/sessions", status_code=201, responses=problems(404, 409))
async def post_session(
    event_id: UUID,
    body: SessionBody,
    grant: Scheduler,
    resources: ResourcesDep,
    response: Response,
    key: IdempotencyKey = None,
) -> SessionDetail:
    """Schedule a session: dates, sales window, seat map, price categories, ticket types, prices and quotas."""
    organization_id = grant.organization_id

    async def effect(conn: Connection) -> SessionDetail:
        event = await load_event(conn, organization_id, event_id)
        if event is None:
            raise EventNotFound
        wish = body.wish(event.time_zone)
        terms = await schedule_session(conn, resources.make_id, organization_id, event_id, wish, body.seat_map_id)
        return await _detail(conn, organization_id, terms.session_id)

    claim = claim_for(organization_id, f"sessions:{event_id}", key, body)
    return await idempotent(resources.pool, organization_id, response, claim, effect, model=SessionDetail)


@router.patch("/sessions/{session_id}", responses=problems(404, 409))
async def patch_session(
    session_id: UUID, body: SessionChangeBody, grant: Scheduler, resources: ResourcesDep
) -> SessionDetail:
    """Change a session. What is held or sold keeps its price."""
    async with transaction(resources.pool, grant.organization_id) as conn:
        await update_session(conn, resources.make_id, grant.organization_id, session_id, body.wish())
        return await _detail(conn, grant.organization_id, session_id)


@router.delete("/sessions/{session_id}", status_code=204, responses=problems(404, 409))
async def delete_session(session_id: UUID, grant: Scheduler, resources: ResourcesDep) -> None:
    """Delete a session of which nothing was ever held."""
    async with transaction(resources.pool, grant.organization_id) as conn:
        await delete_unsold_session(conn, resources.make_id, grant.organization_id, session_id)


@router.post("/sessions/{session_id}/cancel", responses=problems(404))
async def post_cancel_session(session_id: UUID, grant: Scheduler, resources: ResourcesDep) -> SessionDetail:
    """Cancel a session. Cancelling again changes nothing; what was sold is refunded by its own call."""
    async with transaction(resources.pool, grant.organization_id) as conn:
        await cancel_session(conn, resources.make_id, grant.organization_id, session_id)
        return await _detail(conn, grant.organization_id, session_id)


async def _detail(conn: Connection, organization_id: UUID, session_id: UUID) -> SessionDetail:
    return session_detail(await show_session(conn, organization_id, session_id), for_member=True)
