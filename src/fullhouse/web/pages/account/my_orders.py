"""The page of what one ordered, in all organizations."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from fullhouse.core.secrets import derive_key, derive_secret
from fullhouse.identity.find_signed_in import SignedIn
from fullhouse.infra.http import CursorMalformed, ResourcesDep, decode_cursor, encode_cursor
from fullhouse.infra.languages import Translator
from fullhouse.orders.rules import OrderStatus
from fullhouse.tickets.of_buyer.list_own_orders import list_own_orders
from fullhouse.tickets.rules import OrderSummary, reference_of
from fullhouse.web.pages.account.show import show_page
from fullhouse.web.pages.account.visitor import AccountRoute, visiting_signed_in
from fullhouse.web.pages.language import speaker_of

router = APIRouter(route_class=AccountRoute, include_in_schema=False)

PAGE_COUNT = 20
_LIST = "own_orders_page"


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order as it is listed."""

    path: str
    event: str
    session: str
    organization: str
    location: str
    starts_at: datetime
    time_zone: str
    reference: str
    status: str
    is_open: bool
    total_text: str
    ticket_count: int


@router.get("/account/orders")
async def get_my_orders(
    request: Request, user: Annotated[SignedIn, visiting_signed_in()], resources: ResourcesDep
) -> Response:
    """List the orders of the account's address, once it is confirmed."""
    speak = speaker_of(request)
    orders: list[OrderRow] = []
    following: UUID | None = None
    if user.email_verified:
        before = _read_cursor(request.query_params.get("cursor"))
        found, following = await list_own_orders(
            resources.pool, resources.secret_key, user.email, before=before, limit=PAGE_COUNT
        )
        order_key = derive_key(resources.secret_key, "order")
        orders = [_row(one, derive_secret(order_key, one.order_id), speak) for one in found]
    values = {
        "orders": orders,
        "is_verified": user.email_verified,
        "next_cursor": encode_cursor(_LIST, following) if following else None,
    }
    return show_page(request, "my_orders.html", values, user)


def _read_cursor(cursor: str | None) -> UUID | None:
    """Read where the page begins; a cursor that is none of ours begins at the first."""
    try:
        after = decode_cursor(_LIST, cursor, (UUID,))
    except CursorMalformed:
        return None
    return after[0] if after else None


def _row(order: OrderSummary, secret: str, speak: Translator) -> OrderRow:
    return OrderRow(
        path=f"/orders/{order.order_id}/{secret}",
        event=order.event,
        session=order.session,
        organization=order.organization,
        location=order.location,
        starts_at=order.starts_at,
        time_zone=order.time_zone,
        reference=reference_of(order.order_id),
        status=_status(speak, order.status),
        is_open=order.status is OrderStatus.PENDING,
        total_text=speak.money(order.total_minor, order.currency),
        ticket_count=order.ticket_count,
    )


def _status(speak: Translator, status: OrderStatus) -> str:
    """Say where an order stands; nothing where all is well."""
    gettext = speak.gettext
    names = {
        OrderStatus.PENDING: gettext("not paid yet"),
        OrderStatus.CANCELLED: gettext("cancelled"),
        OrderStatus.EXPIRED: gettext("expired"),
        OrderStatus.PAID_UNSEATED: gettext("money on its way back"),
        OrderStatus.REFUNDED: gettext("refunded"),
    }
    return names.get(status, "")
