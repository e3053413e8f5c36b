"""The page of an order: what is to be paid, how the payment goes, and then the tickets.

Whoever has its address is the order's holder. Each form answers by leading back to the page, which says how things
stand.
"""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from fullhouse.access.http import public
from fullhouse.catalogue.queries import load_now
from fullhouse.infra.http import ResourcesDep
from fullhouse.infra.postgres import transaction
from fullhouse.infra.resources import Resources
from fullhouse.orders.queries import load_lines
from fullhouse.orders.rules import Order, OrderAlreadyPaid, OrderNotPending
from fullhouse.payments.cancel_payment import abandon_order
from fullhouse.payments.provider_api import ProvidersDep
from fullhouse.payments.queries import load_payments, load_refunds
from fullhouse.payments.rules import PaymentOpen, ProviderUnavailable
from fullhouse.receipts.queries import load_receipts
from fullhouse.reservations.queries import load_reservation
from fullhouse.tickets.load_sale import load_sale
from fullhouse.web.pages.form import count_in
from fullhouse.web.pages.language import speaker_of
from fullhouse.web.pages.origin import check_origin
from fullhouse.web.pages.render import PRIVATE_HEADERS, render_page
from fullhouse.web.pages.route import PageRoute
from fullhouse.web.pages.shop.open_order import lead_back, open_order, order_path
from fullhouse.web.pages.shop.order_move import load_choice
from fullhouse.web.pages.shop.order_view import (
    OrderFacts,
    declined_of,
    heading_of,
    onward_of,
    order_card,
    receipt_rows,
    refresh_of,
    refund_text,
    state_of,
    ticket_rows,
    time_left,
)
from fullhouse.web.pages.shop.refusals import explain_code
from fullhouse.web.pages.shop.ways import ways_to_pay

router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[public()])


@router.get("/orders/{order_id}/{secret}")
async def get_order_page(
    request: Request, order_id: UUID, secret: str, resources: ResourcesDep, providers: ProvidersDep
) -> Response:
    """Show an order as it stands. While it waits for something, the page looks again by itself."""
    order = await open_order(resources.pool, order_id, secret)
    speak = speaker_of(request)
    facts = await _load(resources, order)
    state = state_of(facts)
    until, left = time_left(facts, speak)
    values = {
        "state": state,
        "heading": heading_of(state, speak),
        "order": order_card(facts, order_path(order, secret), speak),
        "notice": explain_code(speak, request.query_params.get("notice", "")),
        "refresh": refresh_of(state, count_in(request.query_params, "looked") or 0),
        "attempts": len(facts.payments),
        "held_until": until,
        "time_left": left,
        "declined": declined_of(facts, speak),
        "onward": onward_of(facts, now="go" in request.query_params),
        "returned": "returned" in request.query_params,
        "ways": ways_to_pay(await providers.offered_to(order.organization_id), speak) if state == "pending" else [],
        "receipts": receipt_rows(facts.receipts, order_path(order, secret), speak),
        "refund_text": refund_text(facts.refunds, order.currency, speak),
        "move": await load_choice(resources.pool, order) if state == "paid" else None,
        "had_tickets": bool(facts.sale.tickets),
        "tickets": ticket_rows(facts.sale, resources.secret_key, speak) if state == "paid" else [],
    }
    return render_page(request, "order.html", values, headers=PRIVATE_HEADERS)


@router.post("/orders/{order_id}/{secret}/cancel")
async def post_cancel_page(
    request: Request, order_id: UUID, secret: str, resources: ResourcesDep, providers: ProvidersDep
) -> Response:
    """Cancel an order that is not paid. Its places go back once no payment of it can win any more."""
    order = await open_order(resources.pool, order_id, secret)
    check_origin(request, resources.public_url, secret_in_path=True)
    try:
        await abandon_order(resources.pool, resources.make_id, providers, order.organization_id, order.order_id)
    except (OrderAlreadyPaid, OrderNotPending):
        return lead_back(order, secret)
    except (PaymentOpen, ProviderUnavailable) as refused:
        return lead_back(order, secret, refused)
    return lead_back(order, secret)


async def _load(resources: Resources, order: Order) -> OrderFacts:
    ids = (order.organization_id, order.order_id)
    async with transaction(resources.pool, order.organization_id) as conn:
        # One snapshot, so that the page does not contradict itself.
        await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return OrderFacts(
            sale=await load_sale(conn, *ids),
            lines=await load_lines(conn, *ids),
            reservation=await load_reservation(conn, order.organization_id, order.reservation_id),
            payments=await load_payments(conn, *ids),
            refunds=await load_refunds(conn, *ids),
            receipts=await load_receipts(conn, *ids),
            now=await load_now(conn),
        )
