"""What anyone may read: published events, their sessions, and what is left."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from fullhouse.access.http import find_viewer, public
from fullhouse.access.policies.event import may_look
from fullhouse.catalogue.api.answers import (
    EventAnswer,
    EventDetail,
    SessionDetail,
    event_answer,
    event_detail,
    session_detail,
)
from fullhouse.catalogue.api.asked_by import EventBoardDep, Viewer
from fullhouse.catalogue.api.fields import DayOrInstant
from fullhouse.catalogue.api.offers import AvailabilityAnswer
from fullhouse.catalogue.event_board import EventsShown, ListWanted
from fullhouse.catalogue.show_availability import AvailabilityBoard
from fullhouse.catalogue.shown_availability import Shown
from fullhouse.events.rules import EventNotFound, SessionNotFound
from fullhouse.infra.glance import Asked
from fullhouse.infra.hot import JSON_TYPE, app_state, hot_route, send_answer, send_not_modified
from fullhouse.infra.hot_reading import header_reader, read_field, read_header, read_path_id
from fullhouse.infra.http import (
    ApiModel,
    Cursor,
    Limit,
    Line,
    Page,
    decode_cursor,
    encode_cursor,
    problems,
)

router = APIRouter(tags=["events"])
_LIST = "events"

IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", max_length=1000)]
_if_none_match = header_reader("If-None-Match", IfNoneMatch)


def _tagged(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Describe an answer that has an entity tag."""
    return {200: {"model": model}, 304: {"description": "It is still what the If-None-Match header names."}}


def _detail(model: type[ApiModel]) -> dict[int | str, dict[str, Any]]:
    """Describe one thing, with an entity tag."""
    return {**_tagged(model), **problems(404)}


@router.get("/events", dependencies=[public()], responses=_tagged(Page[EventAnswer]), response_model=None)
async def get_events(  # noqa: PLR0913, PLR0917 (each is a field of the query)
    board: EventBoardDep,
    cursor: Cursor = None,
    limit: Limit = 50,
    q: Annotated[Line, Query(max_length=100, description="Words in the name, place or description.")] = "",
    starts_from: Annotated[
        DayOrInstant | None, Query(alias="from", description="Not over by then. Default: not over by now.")
    ] = None,
    starts_until: Annotated[DayOrInstant | None, Query(alias="to", description="Starting before then.")] = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """List published events by start: those that are not over, or with `from` those that were not over by then."""
    after = decode_cursor(_LIST, cursor, (datetime, UUID))
    place = None if after is None else (after[0], after[1])
    shown = await board.list_events(ListWanted(limit, place, q, starts_from, starts_until))
    return _answer(shown.keep("list", lambda: _page(shown)), if_none_match, public=True)


def _page(shown: EventsShown) -> bytes:
    last = shown.events[-1] if shown.has_more else None
    page = Page(
        items=[event_answer(event) for event in shown.events],
        next_cursor=None
        if last is None or last.starts_at is None
        else encode_cursor(_LIST, last.starts_at, last.event_id),
    )
    return page.model_dump_json().encode()


@router.get("/events/{event_id}", responses=_detail(EventDetail), response_model=None)
async def get_event(
    event_id: UUID, viewer: Viewer, board: EventBoardDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Show an event with its sessions and what is left of them. Drafts are shown to members."""
    shown = await board.show_event(event_id)
    if not shown.view.is_public and not may_look(viewer, shown.view.event.organization_id):
        raise EventNotFound
    encoded = shown.encode("event", lambda: event_detail(shown.view))
    return _answer(encoded, if_none_match, public=shown.view.is_public)


@router.get("/sessions/{session_id}", responses=_detail(SessionDetail), response_model=None)
async def get_session(
    session_id: UUID, viewer: Viewer, board: EventBoardDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Show a session. Members of its organization see how its quotas stand as well."""
    shown = await board.show_session(session_id)
    member = may_look(viewer, shown.view.event.organization_id)
    if not shown.view.is_public and not member:
        raise SessionNotFound
    form = "session for members" if member else "session"
    encoded = shown.encode(form, lambda: session_detail(shown.view, for_member=member))
    return _answer(encoded, if_none_match, public=shown.view.is_public and not member)


def _answer(encoded: tuple[bytes, str], if_none_match: str | None, *, public: bool) -> Response:
    body, etag = encoded
    headers = {"ETag": etag, "Cache-Control": "no-cache" if public else "private, no-cache"}
    if if_none_match is not None and _matches(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def show_availability_at_a_glance(asked: Asked) -> bool:
    """Show what is in memory to somebody who shows no credential."""
    if b"authorization" in asked.fields:
        return False
    session_id = _read_session_id(asked.path_params["session_id"])
    board: AvailabilityBoard = asked.state.availability_board
    shown = None if session_id is None else board.find_shown(session_id)
    if shown is None or not shown.public:
        return False
    if_none_match: str | None = read_field(_if_none_match, asked.fields.get(b"if-none-match"))
    headers = _headers_of(shown)
    if if_none_match is not None and _matches(if_none_match, shown.etag):
        asked.answer(304, b"", headers)
    else:
        asked.answer(200, shown.body, (JSON_TYPE, *headers))
    return True


@lru_cache(maxsize=4_096)
def _read_session_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@hot_route(
    router,
    "GET /sessions/{session_id}/availability",
    takes={"session_id": UUID, "if_none_match": IfNoneMatch, "viewer": Viewer},
    glance=show_availability_at_a_glance,
    responses=_detail(AvailabilityAnswer),
)
async def get_availability(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 (it has no body)
    """Show what is left of a session: counts by ticket type, and two bits for each seat of its map."""
    viewer = await find_viewer(scope)
    session_id = read_path_id(scope, "session_id")
    if_none_match: str | None = read_header(_if_none_match, scope)
    board: AvailabilityBoard = app_state(scope).availability_board
    shown = await board.show_availability(session_id)
    if not shown.public and not may_look(viewer, shown.organization_id):
        raise SessionNotFound
    headers = _headers_of(shown)
    if if_none_match is not None and _matches(if_none_match, shown.etag):
        await send_not_modified(send, headers)
    else:
        await send_answer(send, 200, shown.body, (JSON_TYPE, *headers))


def _headers_of(shown: Shown) -> tuple[tuple[bytes, bytes], ...]:
    return (b"etag", shown.etag.encode()), (b"cache-control", b"no-cache" if shown.public else b"private, no-cache")


def _matches(if_none_match: str, etag: str) -> bool:
    """Compare weakly (RFC 9110, 13.1.2)."""
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in ("*", etag) for tag in tags)
