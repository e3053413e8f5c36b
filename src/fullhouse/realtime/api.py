"""The route of streams."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from starlette.types import Receive, Scope, Send

from fullhouse.access.http import public
from fullhouse.infra.http import problems
from fullhouse.realtime.stream_changes import stream_changes
from fullhouse.realtime.streams import Streams

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


async def get_streams(request: Request) -> Streams:
    """Return the streams of this process."""
    streams: Streams = request.app.state.streams
    return streams


class _StreamResponse(Response):
    """An answer that is sent as the changes come."""

    def __init__(self, streams: Streams, session_id: UUID) -> None:
        super().__init__()
        self._streams = streams
        self._session_id = session_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await stream_changes(self._streams, self._session_id, scope, receive, send)


@router.get("/sessions/{session_id}/stream", dependencies=[public()], responses=_STREAM, response_class=Response)
async def get_stream(
    session_id: UUID,
    streams: Annotated[Streams, Depends(get_streams)],
    last_event_id: Annotated[str | None, Header(description="The id of the last event that was seen.")] = None,  # noqa: ARG001 (read where the stream begins; declared for the document)
) -> Response:
    """Follow what is left of a session while it is sold: everything once, then what changes."""
    return _StreamResponse(streams, session_id)
