"""Routes of what buyers find again: the list of their orders, and links to them by mail."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from fullhouse.access.accounts.parts import AcceptLanguage, AccountsDep, ClientDep, LanguageTag, choose_language
from fullhouse.access.http import SignedIn, public, signed_in
from fullhouse.core.secrets import derive_key, derive_secret
from fullhouse.infra.http import (
    ApiModel,
    Cursor,
    Email,
    Instant,
    Limit,
    Page,
    ResourcesDep,
    decode_cursor,
    encode_cursor,
    problems,
)
from fullhouse.orders.rules import OrderStatus
from fullhouse.organizations.rules import AddressUnverified
from fullhouse.tickets.of_buyer.list_own_orders import list_own_orders
from fullhouse.tickets.of_buyer.request_links import request_links
from fullhouse.tickets.rules import OrderSummary

router = APIRouter(tags=["buyers"])
_LIST = "own_orders"


class OwnOrderAnswer(ApiModel):
    """One of your orders. Its secret opens it and its tickets (`Authorization: Order <secret>`)."""

    id: UUID
    secret: str
    status: OrderStatus
    organization_id: UUID
    organization: str
    event_id: UUID
    event: str
    session_id: UUID
    session: str
    location: str
    starts_at: Instant
    time_zone: str
    total_minor: int
    currency: str
    ticket_count: int
    """Of tickets that are valid now."""
    placed_at: Instant


class LinksBody(ApiModel):
    """To whom the links are mailed, if the address has orders."""

    email: Email
    language: LanguageTag = None


@router.get("/me/orders", responses=problems(400, 403))
async def get_own_orders(
    user: Annotated[SignedIn, signed_in()], resources: ResourcesDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[OwnOrderAnswer]:
    """List what was ordered with your mail address, in all organizations, the newest first.

    The address must be verified: whoever has an account with somebody else's address sees nothing.
    """
    if not user.email_verified:
        raise AddressUnverified
    before = decode_cursor(_LIST, cursor, (UUID,))
    found, last = await list_own_orders(
        resources.pool, resources.secret_key, user.email, before=before[0] if before else None, limit=limit
    )
    order_key = derive_key(resources.secret_key, "order")
    return Page(
        items=[_answer(order, derive_secret(order_key, order.order_id)) for order in found],
        next_cursor=encode_cursor(_LIST, last) if last else None,
    )


@router.post("/order-links", status_code=202, dependencies=[public()], responses=problems(429))
async def post_order_links(
    body: LinksBody,
    resources: ResourcesDep,
    accounts: AccountsDep,
    client: ClientDep,
    accept_language: AcceptLanguage = None,
) -> None:
    """Have the links to all orders of an address mailed there. The answer is the same where it has none."""
    language = choose_language(body.language, accept_language)
    await request_links(resources.pool, accounts.means, body.email, language, client)


def _answer(order: OrderSummary, secret: str) -> OwnOrderAnswer:
    return OwnOrderAnswer(
        id=order.order_id,
        secret=secret,
        status=order.status,
        organization_id=order.organization_id,
        organization=order.organization,
        event_id=order.event_id,
        event=order.event,
        session_id=order.session_id,
        session=order.session,
        location=order.location,
        starts_at=order.starts_at,
        time_zone=order.time_zone,
        total_minor=order.total_minor,
        currency=order.currency,
        ticket_count=order.ticket_count,
        placed_at=order.placed_at,
    )
