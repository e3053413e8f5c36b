"""The pages of events: the list, and one event with its sessions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from fullhouse.access.http import public
from fullhouse.catalogue.api.asked_by import EventBoardDep
from fullhouse.catalogue.event_board import ListWanted
from fullhouse.events.rules import Event, EventNotFound, EventStatus
from fullhouse.infra.http import CursorMalformed, decode_cursor, encode_cursor, unstorable
from fullhouse.web.pages.language import speaker_of
from fullhouse.web.pages.render import render_kept
from fullhouse.web.pages.route import PageRoute
from fullhouse.web.pages.shop.session_view import session_card

EVENTS_PER_PAGE = 20
SEARCH_LENGTH_MAX = 100
ONE_EVENING = timedelta(hours=18)
_LIST = "events_page"

router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[public()])


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event in the list."""

    event_id: UUID
    name: str
    location: str
    time_zone: str
    starts_at: datetime | None
    ends_at: datetime | None
    is_long: bool
    """It runs over several days, so both ends are shown."""


@router.get("/")
async def get_events_page(
    request: Request, board: EventBoardDep, q: Annotated[str, Query()] = "", cursor: str | None = None
) -> Response:
    """Show the published events that are not over, by start."""
    search = " ".join(q.split())[:SEARCH_LENGTH_MAX]
    search = "" if unstorable(search) else search
    after = _read_cursor(cursor)
    found = await board.list_events(ListWanted(EVENTS_PER_PAGE, after, search))

    def values() -> Mapping[str, object]:
        last = found.events[-1] if found.has_more else None
        return {
            "search": search,
            "events": [_row(event) for event in found.events],
            "is_later_page": after is not None,
            "first_query": _query(search, None),
            "next_query": None
            if last is None or last.starts_at is None
            else _query(search, encode_cursor(_LIST, last.starts_at, last.event_id)),
        }

    return render_kept(request, "events.html", values, found.keep)


@router.get("/events/{event_id}")
async def get_event_page(request: Request, event_id: UUID, board: EventBoardDep) -> Response:
    """Show an event with its sessions and what is left of them."""
    shown = await board.show_event(event_id)
    view = shown.view
    if not view.is_public:
        raise EventNotFound
    speak = speaker_of(request)

    def values() -> Mapping[str, object]:
        return {
            "event": view.event,
            "is_cancelled": view.event.status is EventStatus.CANCELLED,
            "seller": shown.seller,
            "paragraphs": [part.strip() for part in view.event.description.split("\n\n") if part.strip()],
            "sessions": [session_card(session, shown.now, speak) for session in view.sessions],
        }

    return render_kept(request, "event.html", values, shown.keep)


def _row(event: Event) -> EventRow:
    starts_at, ends_at = event.starts_at, event.ends_at
    return EventRow(
        event_id=event.event_id,
        name=event.name,
        location=event.location,
        time_zone=event.time_zone,
        starts_at=starts_at,
        ends_at=ends_at,
        is_long=starts_at is not None and ends_at is not None and ends_at - starts_at > ONE_EVENING,
    )


def _read_cursor(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Read where the page begins; a cursor that is none of ours begins at the first page."""
    try:
        after = decode_cursor(_LIST, cursor, (datetime, UUID))
    except CursorMalformed:
        return None
    return None if after is None else (after[0], after[1])


def _query(search: str, cursor: str | None) -> str:
    fields = {name: value for name, value in (("q", search), ("cursor", cursor)) if value}
    return f"?{urlencode(fields)}" if fields else ""
