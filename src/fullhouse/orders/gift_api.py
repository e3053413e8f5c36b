"""The route by which an organization gives tickets away."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from fullhouse.access.http import requires
from fullhouse.access.rules import Grant
from fullhouse.core.errors import DomainError
from fullhouse.core.secrets import derive_key, derive_secret
from fullhouse.infra.http import (
    Email,
    IdempotencyKey,
    KeptRefusal,
    Line,
    ResourcesDep,
    ShortName,
    claim_for,
    idempotent,
    problems,
    refusal,
)
from fullhouse.infra.idempotency import Kept
from fullhouse.infra.languages import DEFAULT_LANGUAGE, language_or_default
from fullhouse.infra.postgres import Connection
from fullhouse.orders.answers import OrderAnswer, PlacedOrderAnswer, order_answer
from fullhouse.orders.api import GivenBody
from fullhouse.orders.give_tickets import Gift, give_tickets, hold_gift, take_back
from fullhouse.orders.rules import check_contact
from fullhouse.reservations.api import BoxOfficeDep, ItemWish
from fullhouse.reservations.place_reservation import RepeatedRefusal
from fullhouse.reservations.rules import ITEMS_MAX, SessionNotFound

router = APIRouter(tags=["orders"])


class GiveTickets(GivenBody):
    """What to give away, to whom, and why. The reason stands on the order, where its holder reads it."""

    items: Annotated[list[ItemWish], Field(min_length=1, max_length=ITEMS_MAX)]
    email: Email
    name: Line = ""
    reason: ShortName
    language: Annotated[str | None, Field(pattern="^[A-Za-z]{2}([-_][A-Za-z]{2})?$")] = None


@router.post("/sessions/{session_id}/complimentary-orders", status_code=201, responses=problems(404, 409))
async def post_complimentary_order(  # noqa: PLR0913, PLR0917 (FastAPI fills the parameters by name)
    session_id: UUID,
    body: GiveTickets,
    grant: Annotated[Grant, requires("order:give")],
    resources: ResourcesDep,
    office: BoxOfficeDep,
    response: Response,
    key: IdempotencyKey = None,
) -> PlacedOrderAnswer:
    """Give tickets away: an order of nothing, paid at once, whose tickets are issued and mailed like any."""
    organization_id = grant.organization_id
    if await office.organization_of(session_id) != organization_id:
        raise SessionNotFound
    language = language_or_default(body.language) if body.language else DEFAULT_LANGUAGE
    contact = check_contact(body.email, body.name)
    gift = Gift(session_id, tuple(item.to_request() for item in body.items), contact, language, body.reason, body.given)
    claim = claim_for(organization_id, f"complimentary:{session_id}", key, body)
    order_key = derive_key(resources.secret_key, "order")
    try:
        placed = await hold_gift(office, gift, claim)
    except RepeatedRefusal as repeated:
        raise KeptRefusal(Kept(409, refusal(repeated.error))) from repeated

    async def effect(conn: Connection) -> OrderAnswer:
        done = await give_tickets(conn, resources.make_id, order_key, organization_id, gift, placed)
        return order_answer(done.order, done.lines, None, done.expires_at)

    try:
        answer = await idempotent(resources.pool, organization_id, response, claim, effect, model=OrderAnswer)
    except DomainError as refused:
        await take_back(resources.pool, resources.make_id, placed, refused)
        raise
    named = answer.model_copy(update={"email": contact.email, "name": contact.name})
    return PlacedOrderAnswer(secret=derive_secret(order_key, answer.id), **dict(named))
