"""The route that reserves what an allocation keeps from the public."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from fullhouse.access.http import holder_or_member
from fullhouse.access.rules import Asker
from fullhouse.infra.http import ApiModel, IdempotencyKey, ResourcesDep, claim_for, idempotent, problems
from fullhouse.infra.http_guesses import CodeText, count_guess
from fullhouse.infra.postgres import Connection, connection
from fullhouse.reservations.allocations.reserve_from_allocation import Source, check_seller, reserve_from_allocation
from fullhouse.reservations.answers import PlacedReservation, ReservationAnswer, reservation_answer
from fullhouse.reservations.api import BoxOfficeDep, ItemWish
from fullhouse.reservations.rules import ITEMS_MAX
from fullhouse.reservations.tokens import reservation_key, reservation_secret, write_token

router = APIRouter(tags=["reservations"])

SellerDep = Annotated[Asker, holder_or_member("Allocation", "stock:block")]


async def find_source(
    session_id: UUID, allocation_id: UUID, asker: SellerDep, box_office: BoxOfficeDep, resources: ResourcesDep
) -> Source:
    """Find the allocation that the path names, for who may sell from it."""
    source = Source(await box_office.organization_of(session_id), session_id, allocation_id)
    async with connection(resources.pool, source.organization_id) as conn:
        await check_seller(conn, asker, source)
    return source


class ReserveFromAllocation(ApiModel):
    """What to hold of an allocation, all or nothing."""

    items: Annotated[list[ItemWish], Field(min_length=1, max_length=ITEMS_MAX)]
    code: Annotated[CodeText | None, Field(description="Its order uses it.")] = None


@router.post(
    "/sessions/{session_id}/allocations/{allocation_id}/reservations", status_code=201, responses=problems(404, 409)
)
async def post_allocation_reservation(
    request: Request,
    body: ReserveFromAllocation,
    source: Annotated[Source, Depends(find_source)],
    resources: ResourcesDep,
    response: Response,
    key: IdempotencyKey = None,
) -> PlacedReservation:
    """Hold places that an allocation keeps from the public: for its organization, or who has the allocation's key."""
    token_key = reservation_key(resources.secret_key)
    items = tuple(item.to_request() for item in body.items)
    if body.code is not None:
        await count_guess(request.scope)
        source = replace(source, code=body.code)

    async def effect(conn: Connection) -> ReservationAnswer:
        return reservation_answer(await reserve_from_allocation(conn, resources.make_id, token_key, source, items))

    claim = claim_for(source.organization_id, f"allocation-reservations:{source.allocation_id}", key, body)
    held = await idempotent(resources.pool, source.organization_id, response, claim, effect, model=ReservationAnswer)
    token = write_token(source.session_id, reservation_secret(token_key, held.id))
    return PlacedReservation(token=token, **dict(held))
