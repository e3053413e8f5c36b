"""What an order's page links to: the picture of each code, all tickets as a document, and its receipts."""

from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from fullhouse.access.http import public
from fullhouse.infra.http import ResourcesDep
from fullhouse.infra.postgres import connection
from fullhouse.infra.resources import Resources
from fullhouse.receipts.print_receipt import print_receipt
from fullhouse.receipts.rules import ReceiptKind, ReceiptNotFound
from fullhouse.tickets.code import code_of
from fullhouse.tickets.load_sale import load_sale
from fullhouse.tickets.render_order_documents import render_order_documents
from fullhouse.tickets.render_ticket import render_qr_svg
from fullhouse.tickets.rules import PDF_TYPE, NoValidTickets, TicketNotFound
from fullhouse.web.pages.render import PRIVATE_HEADERS
from fullhouse.web.pages.route import PageRoute
from fullhouse.web.pages.shop.open_order import open_order

router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[public()])


@router.get("/orders/{order_id}/{secret}/tickets/{ticket_id}/qr.svg")
async def get_qr(order_id: UUID, secret: str, ticket_id: UUID, resources: ResourcesDep) -> Response:
    """Draw the code of one valid ticket of the order."""
    order = await open_order(resources.pool, order_id, secret)
    async with connection(resources.pool, order.organization_id) as conn:
        sale = await load_sale(conn, order.organization_id, order.order_id)
    ticket = next((ticket for ticket, _ in sale.valid if ticket.ticket_id == ticket_id), None)
    if ticket is None:
        raise TicketNotFound
    picture = render_qr_svg(code_of(resources.secret_key, ticket))
    return Response(picture, media_type="image/svg+xml", headers=dict(PRIVATE_HEADERS))


@router.get("/orders/{order_id}/{secret}/tickets.pdf")
async def get_pdf(order_id: UUID, secret: str, resources: ResourcesDep) -> Response:
    """Answer the valid tickets of the order as one document."""
    order = await open_order(resources.pool, order_id, secret)
    rendered = await render_order_documents(
        resources.pool, resources.object_store, resources.secret_key, order.organization_id, order.order_id
    )
    if rendered is None:
        raise NoValidTickets
    headers = {"Content-Disposition": f'attachment; filename="tickets-{order.order_id}.pdf"', **PRIVATE_HEADERS}
    return Response(rendered.data, media_type=PDF_TYPE, headers=headers)


@router.get("/orders/{order_id}/{secret}/receipt.pdf")
async def get_receipt(order_id: UUID, secret: str, resources: ResourcesDep) -> Response:
    """Answer the receipt of the order, which a worker numbers in the moment after it was paid."""
    return await _receipt(resources, order_id, secret, "receipt")


@router.get("/orders/{order_id}/{secret}/credit-note.pdf")
async def get_newest_credit_note(order_id: UUID, secret: str, resources: ResourcesDep) -> Response:
    """Answer the newest credit note of the order; until there is one, lead to the page that says where the money is."""
    try:
        return await _receipt(resources, order_id, secret, "credit_note")
    except ReceiptNotFound:
        return RedirectResponse(f"/orders/{order_id}/{secret}", status_code=303, headers=PRIVATE_HEADERS)


@router.get("/orders/{order_id}/{secret}/receipts/{receipt_id}/receipt.pdf")
async def get_credit_note(order_id: UUID, secret: str, receipt_id: UUID, resources: ResourcesDep) -> Response:
    """Answer one of the order's receipts and credit notes."""
    return await _receipt(resources, order_id, secret, receipt_id)


async def _receipt(resources: Resources, order_id: UUID, secret: str, which: UUID | ReceiptKind) -> Response:
    order = await open_order(resources.pool, order_id, secret)
    printed = await print_receipt(resources.pool, order, which)
    headers = {"Content-Disposition": f'inline; filename="{printed.name}"', **PRIVATE_HEADERS}
    return Response(printed.data, media_type=PDF_TYPE, headers=headers)
