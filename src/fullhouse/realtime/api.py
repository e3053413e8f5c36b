"""The route of streams."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Response
from starlette.types import Receive, Scope, Send

from fullhouse.access.http import public
from fullhouse.infra.hot import app_state, hot_route
from fullhouse.infra.hot_reading import read_path_id
from fullhouse.infra.http import problems
from fullhouse.realtime.stream_changes import stream_changes

router = APIRouter(tags=["events"])

_EVENT = {
    "type": "object",
    "title": "StreamEvent",
    "description": "One event. `data` is JSON: the body of the availability answer, or what became of its parts.",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"enum": ["snapshot", "change"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-Sent Events: `snapshot` with the body of the availability answer, or what changed since "
        "`Last-Event-ID`; then a `change` for each change, at most four a second. The id of an event is the version "
        "of the stock.",
        "content": {"text/event-stream": {"schema": _EVENT}},
    },
    **problems(404),
}


@hot_route(
    router,
    "GET /sessions/{session_id}/stream",
    takes={
        "session_id": UUID,
        "last_event_id": Annotated[str | None, Header(description="The id of the last event that was seen.")],
    },
    dependencies=[public()],
    responses=_STREAM,
    response_class=Response,
)
async def get_stream(scope: Scope, receive: Receive, send: Send) -> None:
    """Follow what is left of a session while it is sold: everything once, then what changes."""
    session_id = read_path_id(scope, "session_id")
    await stream_changes(app_state(scope).streams, session_id, scope, receive, send)
