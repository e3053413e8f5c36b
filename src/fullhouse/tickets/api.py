"""Routes that show an order with its tickets, and a ticket with its pictures."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from fullhouse.access.http import holder_or_member, requires
from fullhouse.access.policies.order import opens
from fullhouse.access.rules import Asker, Grant
from fullhouse.core.secrets import derive_key
from fullhouse.infra.directory import find_organization
from fullhouse.infra.http import ApiModel, Email, Page, ResourcesDep, problems
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.infra.resources import Resources
from fullhouse.orders.answers import order_answer
from fullhouse.orders.correct_contact import correct_contact
from fullhouse.orders.find_order import find_order
from fullhouse.orders.persons.queries import load_answers
from fullhouse.orders.queries import load_lines
from fullhouse.orders.rules import Order, OrderNotFound, check_contact
from fullhouse.reservations.queries import load_reservation
from fullhouse.tickets.answers import (
    ContactAnswer,
    OrderWithTickets,
    TicketAnswer,
    given_answer,
    mail_answer,
    ticket_answer,
    ticket_answers,
)
from fullhouse.tickets.code import code_of
from fullhouse.tickets.load_sale import Sale, load_sale
from fullhouse.tickets.mail_again import mail_again
from fullhouse.tickets.mail_tickets import open_mailroom
from fullhouse.tickets.queries import load_mails, load_ticket
from fullhouse.tickets.render_order_documents import render_sale
from fullhouse.tickets.render_ticket import render_qr_png, render_qr_svg
from fullhouse.tickets.rules import PDF_TYPE, NoValidTickets, TicketNotFound, TicketNotValid, TicketStatus, reference_of

router = APIRouter(tags=["tickets"])


class OrderContact(ApiModel):
    """Where mails about the order are to go."""

    email: Email


AskerDep = Annotated[Asker, holder_or_member("Order", "order:read")]
LINK_SECONDS = 300
_SECRET_HEADERS = {"Cache-Control": "private, no-store"}


def _file(media_type: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "string", "contentMediaType": media_type}
    return {200: {"description": "The file.", "content": {media_type: {"schema": schema}}}, **problems(*statuses)}


@router.get("/orders/{order_id}", responses=problems(404))
async def get_order(order_id: UUID, asker: AskerDep, resources: ResourcesDep) -> OrderWithTickets:
    """Show an order, with its tickets as soon as they exist, and what became of the mails about it."""
    order = await _open_order(resources.pool, order_id, asker)
    async with connection(resources.pool, order.organization_id) as conn:
        sale = await load_sale(conn, order.organization_id, order_id)
        lines = await load_lines(conn, order.organization_id, order_id)
        reservation = await load_reservation(conn, order.organization_id, order.reservation_id)
        mails = await load_mails(conn, order.organization_id, order_id)
        given = await load_answers(conn, order.organization_id, order_id)
    answer = order_answer(sale.order, lines, sale.contact, reservation.expires_at if reservation else None)
    tickets = ticket_answers(sale, resources.secret_key)
    return OrderWithTickets(
        **dict(answer),
        tickets=tickets,
        mails=[mail_answer(mail) for mail in mails],
        answers=[given_answer(one) for one in given],
    )


@router.put("/orders/{order_id}/contact", responses=problems(404, 409))
async def put_order_contact(
    order_id: UUID, body: OrderContact, grant: Annotated[Grant, requires("order:write")], resources: ResourcesDep
) -> ContactAnswer:
    """Correct the address of an order, and mail its tickets there if it has any. The same address mails them again."""
    email, host = check_contact(body.email, "").email, open_mailroom(resources).host
    ids = (grant.organization_id, order_id)
    async with transaction(resources.pool, grant.organization_id) as conn:
        await correct_contact(conn, derive_key(resources.secret_key, "order"), *ids, email)
        mails = await mail_again(conn, resources.make_id, host, *ids)
    return ContactAnswer(email=email, mails_tickets=mails)


@router.get("/orders/{order_id}/tickets", responses=problems(404))
@router.get("/orders/{order_id}/ticket", responses=problems(404), name="get_order_ticket")
async def get_order_tickets(order_id: UUID, asker: AskerDep, resources: ResourcesDep) -> Page[TicketAnswer]:
    """List all tickets of an order on one page; an order has at most a thousand."""
    order = await _open_order(resources.pool, order_id, asker)
    async with connection(resources.pool, order.organization_id) as conn:
        sale = await load_sale(conn, order.organization_id, order_id)
    return Page(items=ticket_answers(sale, resources.secret_key))


@router.get(
    "/orders/{order_id}/tickets.pdf",
    response_class=Response,
    responses=_file(PDF_TYPE, 404) | {307: {"description": "Where the file is, for five minutes."}},
)
async def get_order_pdf(
    order_id: UUID,
    asker: AskerDep,
    resources: ResourcesDep,
    *,
    redirect: Annotated[
        bool, Query(description="Whether to lead to the object store, if it is one that has links.")
    ] = False,
) -> Response:
    """Return the valid tickets of an order as one PDF, a page each."""
    order = await _open_order(resources.pool, order_id, asker)
    async with connection(resources.pool, order.organization_id) as conn:
        sale = await load_sale(conn, order.organization_id, order_id)
    name = f"order-{reference_of(order_id)}.pdf"
    return await _pdf(resources, sale, name, redirect=redirect)


@router.get("/tickets/{ticket_id:uuid}", responses=problems(404))
async def get_ticket(ticket_id: UUID, asker: AskerDep, resources: ResourcesDep) -> TicketAnswer:
    """Show a ticket, valid or not."""
    sale = await _open_ticket(resources.pool, ticket_id, asker)
    [answer] = [
        ticket_answer(sale, resources.secret_key, ticket, unit)
        for ticket, unit in sale.tickets
        if ticket.ticket_id == ticket_id
    ]
    return answer


@router.get("/tickets/{ticket_id:uuid}/qr.png", response_class=Response, responses=_file("image/png", 404, 409))
async def get_ticket_qr_png(ticket_id: UUID, asker: AskerDep, resources: ResourcesDep) -> Response:
    """Return the QR picture of a valid ticket's code as PNG."""
    code = _valid_code(await _open_ticket(resources.pool, ticket_id, asker), resources.secret_key, ticket_id)
    picture = await asyncio.to_thread(render_qr_png, code)
    return Response(picture, media_type="image/png", headers=_SECRET_HEADERS)


@router.get("/tickets/{ticket_id:uuid}/qr.svg", response_class=Response, responses=_file("image/svg+xml", 404, 409))
async def get_ticket_qr_svg(ticket_id: UUID, asker: AskerDep, resources: ResourcesDep) -> Response:
    """Return the QR picture of a valid ticket's code as SVG."""
    code = _valid_code(await _open_ticket(resources.pool, ticket_id, asker), resources.secret_key, ticket_id)
    picture = await asyncio.to_thread(render_qr_svg, code)
    return Response(picture, media_type="image/svg+xml", headers=_SECRET_HEADERS)


@router.get("/tickets/{ticket_id:uuid}/ticket.pdf", response_class=Response, responses=_file(PDF_TYPE, 404, 409))
async def get_ticket_pdf(ticket_id: UUID, asker: AskerDep, resources: ResourcesDep) -> Response:
    """Return a valid ticket as a PDF of one page, rendered now unless it is stored."""
    sale = await _open_ticket(resources.pool, ticket_id, asker)
    _valid_code(sale, resources.secret_key, ticket_id)
    return await _pdf(resources, sale, f"ticket-{reference_of(ticket_id)}.pdf", only=ticket_id)


async def _open_order(pool: Pool, order_id: UUID, asker: Asker) -> Order:
    order = await find_order(pool, order_id)
    if not opens(asker, order.organization_id, order.secret_hash):
        raise OrderNotFound
    return order


async def _open_ticket(pool: Pool, ticket_id: UUID, asker: Asker) -> Sale:
    """Load the sale of a ticket for who may open its order."""
    organization_id = await find_organization(pool, "ticket", ticket_id)
    if organization_id is None:
        raise TicketNotFound
    async with connection(pool, organization_id) as conn:
        ticket = await load_ticket(conn, organization_id, ticket_id)
        if ticket is None:
            raise TicketNotFound
        sale = await load_sale(conn, ticket.organization_id, ticket.order_id)
    if not opens(asker, sale.order.organization_id, sale.order.secret_hash):
        raise TicketNotFound
    return sale


def _valid_code(sale: Sale, server_key: bytes, ticket_id: UUID) -> str:
    [ticket] = [ticket for ticket, _ in sale.tickets if ticket.ticket_id == ticket_id]
    if ticket.status is not TicketStatus.VALID:
        raise TicketNotValid(ticket_id=str(ticket_id), ticket_status=ticket.status.value)
    return code_of(server_key, ticket)


async def _pdf(
    resources: Resources, sale: Sale, name: str, *, only: UUID | None = None, redirect: bool = False
) -> Response:
    rendered = await render_sale(resources.pool, resources.object_store, resources.secret_key, sale, only)
    if rendered is None:
        raise NoValidTickets
    link = await resources.object_store.link(rendered.object_key, LINK_SECONDS) if redirect else None
    if link is not None:
        return RedirectResponse(link, headers=_SECRET_HEADERS)
    headers = {**_SECRET_HEADERS, "Content-Disposition": f'inline; filename="{name}"'}
    return Response(rendered.data, media_type=PDF_TYPE, headers=headers)
