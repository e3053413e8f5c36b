"""Routes of allocations: stock that is kept from the public for a reason."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from fullhouse.access.http import requires
from fullhouse.access.rules import Grant
from fullhouse.catalogue.api.answers import AllocationAnswer, BlockedAnswer
from fullhouse.catalogue.api.fields import Key
from fullhouse.catalogue.show_allocations import AllocationView, show_allocations
from fullhouse.core.secrets import derive_key, derive_secret, hash_secret
from fullhouse.events.queries import load_terms
from fullhouse.events.rules import SessionNotFound
from fullhouse.infra.http import (
    ApiModel,
    Cursor,
    IdempotencyKey,
    Instant,
    Limit,
    Line,
    Page,
    ResourcesDep,
    ShortName,
    claim_for,
    decode_cursor,
    idempotent,
    page_of,
    problems,
)
from fullhouse.infra.postgres import Connection, connection, transaction
from fullhouse.reservations.block_stock import ALLOCATION_SEATS_MAX, block_stock, release_allocation
from fullhouse.reservations.blocked.writes import set_key
from fullhouse.reservations.rules import NewAllocation

router = APIRouter(tags=["allocations"])
_LIST = "allocations"

Blocker = Annotated[Grant, requires("stock:block")]
Places = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]


class AllocationBody(ApiModel):
    """Stock to keep from the public: seats by key or label, and quantities by price category or standing area."""

    name: ShortName
    reason: Line = ""
    seats: Annotated[tuple[Key, ...], Field(max_length=ALLOCATION_SEATS_MAX)] = ()
    quantities: Annotated[dict[Key, Places], Field(max_length=250, default_factory=dict[str, int])]
    release_at: Instant | None = None
    with_key: bool = False
    """Whether a key is made, with which others sell from it."""

    def new_allocation(self) -> NewAllocation:
        """Return what was sent, as the feature takes it."""
        return NewAllocation(self.name, self.reason, self.seats, self.quantities, self.release_at)


@router.get("/sessions/{session_id}/allocations", responses=problems(404))
async def get_allocations(
    session_id: UUID, grant: Blocker, resources: ResourcesDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[AllocationAnswer]:
    """List what is kept from the public, in the order in which it was blocked."""
    after = decode_cursor(_LIST, cursor, (UUID,))
    async with connection(resources.pool, grant.organization_id) as conn:
        found = await show_allocations(conn, grant.organization_id, session_id)
    found = [one for one in found if after is None or one.allocation_id > after[0]]
    return page_of(_LIST, found, limit, _answer, lambda one: (one.allocation_id,))


@router.post("/sessions/{session_id}/allocations", status_code=201, responses=problems(404, 409))
async def post_allocation(
    session_id: UUID,
    body: AllocationBody,
    grant: Blocker,
    resources: ResourcesDep,
    response: Response,
    key: IdempotencyKey = None,
) -> BlockedAnswer:
    """Block stock, all or nothing; ``with_key`` makes a key with which others sell from it."""
    organization_id = grant.organization_id
    keys = derive_key(resources.secret_key, "allocation")

    async def effect(conn: Connection) -> AllocationAnswer:
        terms = await load_terms(conn, organization_id, session_id)
        if terms is None:
            raise SessionNotFound
        allocation_id = await block_stock(conn, resources.make_id, terms, body.new_allocation())
        if body.with_key:
            hashed = hash_secret(derive_secret(keys, allocation_id))
            await set_key(conn, organization_id, session_id, allocation_id, hashed)
        found = await show_allocations(conn, organization_id, session_id)
        return next(_answer(one) for one in found if one.allocation_id == allocation_id)

    claim = claim_for(organization_id, f"allocations:{session_id}", key, body)
    made = await idempotent(resources.pool, organization_id, response, claim, effect, model=AllocationAnswer)
    return BlockedAnswer(key=derive_secret(keys, made.id) if body.with_key else None, **dict(made))


@router.delete("/sessions/{session_id}/allocations/{allocation_id}", status_code=204, responses=problems(404))
async def delete_allocation(session_id: UUID, allocation_id: UUID, grant: Blocker, resources: ResourcesDep) -> None:
    """Give blocked stock back to the public."""
    async with transaction(resources.pool, grant.organization_id) as conn:
        await release_allocation(conn, grant.organization_id, session_id, allocation_id)


def _answer(one: AllocationView) -> AllocationAnswer:
    return AllocationAnswer(
        id=one.allocation_id,
        name=one.name,
        reason=one.reason,
        seats=list(one.seats),
        quantities=one.quantities,
        release_at=one.release_at,
        created_at=one.created_at,
    )
