"""What anyone may read: published events, their sessions, and what is left."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from fullhouse.access.http import public
from fullhouse.access.policies.event import may_look
from fullhouse.catalogue.api.answers import (
    EventAnswer,
    EventDetail,
    SessionDetail,
    event_answer,
    event_detail,
    session_detail,
)
from fullhouse.catalogue.api.asked_by import BoardDep, Viewer
from fullhouse.catalogue.api.fields import DayOrInstant
from fullhouse.catalogue.api.offers import AvailabilityAnswer
from fullhouse.catalogue.queries import EventSearch, list_published_events, load_now
from fullhouse.catalogue.show_event import show_event, show_session
from fullhouse.events.rules import EventNotFound, SessionNotFound
from fullhouse.infra import directory
from fullhouse.infra.http import Cursor, Limit, Line, Page, ResourcesDep, decode_cursor, encode_cursor, problems
from fullhouse.infra.postgres import NO_ORGANIZATION, connection

router = APIRouter(tags=["events"])
_LIST = "events"

_AVAILABILITY: dict[int | str, dict[str, Any]] = {
    200: {"model": AvailabilityAnswer},
    304: {"description": "It is still what the If-None-Match header names."},
    **problems(404),
}


@router.get("/events", dependencies=[public()])
async def get_events(
    resources: ResourcesDep,
    cursor: Cursor = None,
    limit: Limit = 50,
    q: Annotated[Line, Query(max_length=100, description="Words in the name, place or description.")] = "",
    starts_from: Annotated[
        DayOrInstant | None, Query(alias="from", description="Not over by then. Default: not over by now.")
    ] = None,
    starts_until: Annotated[DayOrInstant | None, Query(alias="to", description="Starting before then.")] = None,
) -> Page[EventAnswer]:
    """List published events by start: those that are not over, or with `from` those that were not over by then."""
    after = decode_cursor(_LIST, cursor, (datetime, UUID))
    async with connection(resources.pool, NO_ORGANIZATION) as conn:
        search = EventSearch(q, starts_from or await load_now(conn), starts_until)
        found = await list_published_events(conn, search, None if after is None else (after[0], after[1]), limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return Page(
        items=[event_answer(event) for event in found[:limit]],
        next_cursor=None
        if last is None or last.starts_at is None
        else encode_cursor(_LIST, last.starts_at, last.event_id),
    )


@router.get("/events/{event_id}", responses=problems(404))
async def get_event(event_id: UUID, viewer: Viewer, resources: ResourcesDep) -> EventDetail:
    """Show an event with its sessions and what is left of them. Drafts are shown to members."""
    organization_id = await directory.find_organization(resources.pool, "event", event_id)
    if organization_id is None:
        raise EventNotFound
    async with connection(resources.pool, organization_id) as conn:
        view = await show_event(conn, organization_id, event_id)
    if not view.is_public and not may_look(viewer, organization_id):
        raise EventNotFound
    return event_detail(view)


@router.get("/sessions/{session_id}", responses=problems(404))
async def get_session(session_id: UUID, viewer: Viewer, resources: ResourcesDep) -> SessionDetail:
    """Show a session. Members of its organization see how its quotas stand as well."""
    organization_id = await directory.find_organization(resources.pool, "session", session_id)
    if organization_id is None:
        raise SessionNotFound
    async with connection(resources.pool, organization_id) as conn:
        view = await show_session(conn, organization_id, session_id)
    member = may_look(viewer, organization_id)
    if not view.is_public and not member:
        raise SessionNotFound
    return session_detail(view, for_member=member)


@router.get("/sessions/{session_id}/availability", responses=_AVAILABILITY, response_model=None)
async def get_availability(
    session_id: UUID,
    viewer: Viewer,
    board: BoardDep,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
) -> Response:
    """Show what is left of a session: counts by ticket type, and two bits for each seat of its map."""
    shown = await board.show_availability(session_id)
    if not shown.public and not may_look(viewer, shown.organization_id):
        raise SessionNotFound
    headers = {"ETag": shown.etag, "Cache-Control": "no-cache" if shown.public else "private, no-cache"}
    if if_none_match is not None and _matches(if_none_match, shown.etag):
        return Response(status_code=304, headers=headers)
    return Response(shown.body, media_type="application/json", headers=headers)


def _matches(if_none_match: str, etag: str) -> bool:
    """Compare weakly (RFC 9110, 13.1.2)."""
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in ("*", etag) for tag in tags)
