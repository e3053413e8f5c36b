"""Routes of seat maps."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response

from fullhouse.access.http import public, requires
from fullhouse.access.rules import Grant
from fullhouse.infra.directory import find_organization
from fullhouse.infra.http import ApiModel, IdempotencyKey, ResourcesDep, idempotent, problems
from fullhouse.infra.idempotency import Claim
from fullhouse.infra.postgres import Connection, connection
from fullhouse.seating.import_seat_map import import_seat_map
from fullhouse.seating.publish_seat_map import publish_seat_map
from fullhouse.seating.queries import StoredSeatMap, load_stored_seat_map
from fullhouse.seating.rules import SeatMap, SeatMapNotFound

router = APIRouter(tags=["seat maps"])

FOREVER: Final = "public, max-age=31536000, immutable"


class SeatMapAnswer(ApiModel):
    """A published version of a seat map."""

    id: UUID
    name: str
    version: int
    seat_count: int
    area_count: int
    place_count: int
    created_at: datetime


class PriceCategoryAnswer(ApiModel):
    """What places of a price category are, and how many."""

    key: str
    name: str
    color: str | None
    place_count: int


class PublishedSeatMapAnswer(SeatMapAnswer):
    """A map that was just published, with what a session on it must put a price on."""

    price_categories: list[PriceCategoryAnswer]


class SeatMapWithDocument(SeatMapAnswer):
    """A published version with its drawing, in the form that ``docs/reference/seat-map-format.md`` describes."""

    document: dict[str, Any]


_DOCUMENT_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A seat map in Fullhouse's own form, or a seating plan of pretix.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 200}},
                    "required": ["name"],
                }
            }
        },
    }
}


@router.post(
    "/organizations/{organization_id}/seat-maps",
    status_code=201,
    responses=problems(404, 409),
    openapi_extra=_DOCUMENT_BODY,
)
async def post_seat_map(
    organization_id: UUID,
    request: Request,
    response: Response,
    grant: Annotated[Grant, requires("seat_map:publish")],
    resources: ResourcesDep,
    key: IdempotencyKey = None,
) -> PublishedSeatMapAnswer:
    """Import a seat map and publish it as the next version of its name."""
    raw = await request.body()
    seat_map = await asyncio.to_thread(import_seat_map, raw)
    claim = None if key is None else Claim(organization_id, "seat_maps", key, hashlib.sha256(raw).digest())

    async def effect(conn: Connection) -> PublishedSeatMapAnswer:
        made = await publish_seat_map(conn, resources.make_id, grant.organization_id, seat_map)
        return PublishedSeatMapAnswer(
            id=made.seat_map_id,
            name=seat_map.name,
            version=made.version,
            seat_count=seat_map.seat_count,
            area_count=len(seat_map.areas),
            place_count=seat_map.place_count,
            created_at=made.created_at,
            price_categories=_categories(seat_map),
        )

    return await idempotent(resources.pool, organization_id, response, claim, effect, model=PublishedSeatMapAnswer)


@router.get(
    "/seat-maps/{seat_map_id}",
    dependencies=[public()],
    response_model=SeatMapWithDocument,
    responses={**problems(404), 304: {"description": "You have it: a published map never changes."}},
)
async def get_seat_map(seat_map_id: UUID, request: Request, resources: ResourcesDep) -> Response:
    """Show a published map with its drawing. It never changes, so it may be kept for good."""
    etag = f'"{seat_map_id}"'
    organization_id = await find_organization(resources.pool, "seat_map", seat_map_id)
    if organization_id is None:
        raise SeatMapNotFound
    headers = {"ETag": etag, "Cache-Control": FOREVER}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    async with connection(resources.pool, organization_id) as conn:
        stored = await load_stored_seat_map(conn, organization_id, seat_map_id)
    return Response(_answer_text(stored), media_type="application/json", headers=headers)


def _answer_text(stored: StoredSeatMap) -> str:
    """Put the stored text of the document into the answer as it is: parsing it would cost more than all the rest."""
    answer = SeatMapAnswer(
        id=stored.seat_map_id,
        name=stored.name,
        version=stored.version,
        seat_count=stored.seat_count,
        area_count=stored.area_count,
        place_count=stored.place_count,
        created_at=stored.created_at.astimezone(UTC),
    )
    members = json.dumps(answer.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))
    return f'{members[:-1]},"document":{stored.document}}}'


def _categories(seat_map: SeatMap) -> list[PriceCategoryAnswer]:
    """Count the places of each price category."""
    counts = seat_map.places_by_category
    return [
        PriceCategoryAnswer(key=one.key, name=one.name, color=one.color, place_count=counts.get(one.key, 0))
        for one in seat_map.price_categories
    ]
