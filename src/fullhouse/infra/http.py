"""What the ``api.py`` files of features need: wire models, pages and cursors, idempotency, declared problems.

A route reads like this; ``access.http`` has the dependencies that say who may call it::

    router = APIRouter(tags=["events"])

    class NewEvent(ApiModel):
        name: Name
        starts_at: Instant
        currency: Currency

    @router.post("/organizations/{organization_id}/events", status_code=201, responses=problems(404, 409))
    async def post_event(
        organization_id: UUID,
        body: NewEvent,
        grant: Annotated[Grant, requires("event:write")],
        resources: ResourcesDep,
    ) -> EventAnswer:
        ...

    @router.get("/events", dependencies=[public()], responses=problems(400))
    async def get_events(resources: ResourcesDep, cursor: Cursor = None, limit: Limit = 50) -> Page[EventAnswer]:
        after = decode_cursor("events", cursor, (datetime, UUID))
        ...
        return page_of("events", found, limit, event_answer, lambda event: (event.starts_at, event.event_id))

Routers carry no prefix: the app puts them under ``/api/v1``. Statuses that any route can answer (400, 413, 415, 422,
500, 503, and 401 or 403 where a credential is asked for) are documented by the app; a route declares the rest.
"""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from fullhouse.infra.http_cursor import CURSOR_LENGTH_MAX, CursorMalformed, decode_cursor, encode_cursor
from fullhouse.infra.http_idempotency import (
    REPLAYED_HEADER,
    IdempotencyKey,
    KeptRefusal,
    claim_for,
    idempotent,
    is_final,
    refusal,
)
from fullhouse.infra.http_models import (
    ApiModel,
    Capacity,
    Currency,
    Email,
    Flag,
    Id,
    Instant,
    Line,
    Name,
    Page,
    PriceMinor,
    Quantity,
    ShortName,
    Text,
    WallClock,
    Whole,
    page_of,
    unstorable,
)
from fullhouse.infra.resources import Resources

__all__ = [
    "CURSOR_LENGTH_MAX",
    "PROBLEM_TYPE",
    "REPLAYED_HEADER",
    "ApiModel",
    "Capacity",
    "Currency",
    "Cursor",
    "CursorMalformed",
    "Email",
    "Flag",
    "Id",
    "IdempotencyKey",
    "Instant",
    "KeptRefusal",
    "Limit",
    "Line",
    "Name",
    "Page",
    "PriceMinor",
    "Quantity",
    "ResourcesDep",
    "ShortName",
    "Text",
    "WallClock",
    "Whole",
    "claim_for",
    "decode_cursor",
    "encode_cursor",
    "get_resources",
    "idempotent",
    "is_final",
    "page_of",
    "problems",
    "refusal",
    "unstorable",
]

PROBLEM_TYPE = "application/problem+json"

Cursor = Annotated[str | None, Query(description="Where the page begins: the `next_cursor` of the page before.")]
"""Declare it with the default None."""

Limit = Annotated[int, Query(ge=1, le=100, description="How many items a page has at most.")]
"""Declare it with a default such as 50."""


async def get_resources(request: Request) -> Resources:
    """Hand a route the open parts: pool, clock, ids and the rest."""
    resources: Resources = request.app.state.resources
    return resources


ResourcesDep = Annotated[Resources, Depends(get_resources)]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare which refusals a route answers besides those of every route: ``responses=problems(404, 409)``."""
    return {status: problem_response(status) for status in statuses}


def problem_response(status: int) -> dict[str, Any]:
    """Describe one refusal for the OpenAPI document."""
    return {
        "description": HTTPStatus(status).phrase,
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
