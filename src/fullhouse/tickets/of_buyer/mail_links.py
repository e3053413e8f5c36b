"""Mailing somebody the links to their orders."""

from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from uuid import UUID

from fullhouse.infra.languages import translator
from fullhouse.infra.mail_port import AddressRefused
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection
from fullhouse.infra.tracing import span
from fullhouse.orders.rules import OrderStatus
from fullhouse.tickets.mail_tickets import Mailroom
from fullhouse.tickets.of_buyer.list_own_orders import list_own_orders
from fullhouse.tickets.queries import load_link_request
from fullhouse.tickets.rules import LinkRequest, OrderSummary
from fullhouse.tickets.writes import delete_link_request, note_delivery

ORDERS_MAX = 50
"""So many orders, the newest, stand in one mail."""

PAGES_MAX = 20
"""So many pages are looked through: whoever places orders with a stranger's address hides none of theirs."""

KIND = "links"
_NOT_MAILED = frozenset({OrderStatus.CANCELLED, OrderStatus.EXPIRED})


async def mail_links(pool: Pool, mailroom: Mailroom, request_id: UUID) -> bool:
    """Send the mail that was asked for, and forget the request. Returns whether there was anything to send.

    Each link opens its order without an account. The mail is noted with each order before it is sent, so that erasing
    the buyer removes our copy of it, whatever dies in between. Nothing is sent to an address without orders. Raises
    ``MailUnavailable``, and ``MailRefused`` unless it is the address that is refused.
    """
    async with connection(pool, NO_ORGANIZATION) as conn:
        request = await load_link_request(conn, request_id)
    if request is None:
        return False
    orders = await _find_orders(pool, mailroom, request.email)
    if orders:
        await _send(pool, mailroom, request, orders)
    async with connection(pool, NO_ORGANIZATION) as conn:
        await delete_link_request(conn, request_id)
    return bool(orders)


async def _find_orders(pool: Pool, mailroom: Mailroom, email: str) -> list[OrderSummary]:
    found: list[OrderSummary] = []
    before: UUID | None = None
    for _ in range(PAGES_MAX):
        page, before = await list_own_orders(pool, mailroom.server_key, email, before=before, limit=ORDERS_MAX)
        found += [order for order in page if order.status not in _NOT_MAILED]
        if before is None or len(found) >= ORDERS_MAX:
            break
    return found[:ORDERS_MAX]


async def _send(pool: Pool, mailroom: Mailroom, request: LinkRequest, orders: Sequence[OrderSummary]) -> None:
    message_id = f"<{KIND}.{request.request_id}@{mailroom.host}>"
    for order in orders:
        async with connection(pool, order.organization_id) as conn:
            kind = f"{KIND}:{request.request_id}"
            await note_delivery(conn, order.organization_id, order.order_id, kind, message_id)
    links = [(order, mailroom.order_link(order.order_id)) for order in orders]
    try:
        with span("send mail", "client"):
            await mailroom.mailer.send(write_links(request, links, message_id))
    except AddressRefused:
        # Of an address that its owner mistyped at the sale, and again here, nobody else needs to hear.
        return


def write_links(request: LinkRequest, links: Sequence[tuple[OrderSummary, str]], message_id: str) -> EmailMessage:
    """Write the mail, in the language in which it was asked for. Pure."""
    speak = translator(request.language)
    message = EmailMessage()
    message["Message-ID"] = message_id
    message["Date"] = request.created_at
    message["To"] = Address(addr_spec=request.email)
    message["Subject"] = speak.gettext("Your orders")
    message["Auto-Submitted"] = "auto-generated"
    parts = [
        speak.gettext("Hello,"),
        speak.gettext(
            "Somebody, probably you, asked for the links to the orders of this address. Each opens its order and the "
            "tickets, without a password, so keep them to yourself:"
        ),
    ]
    for order, link in links:
        when = speak.date(order.starts_at, order.time_zone)
        names = ": ".join(name for name in (order.event, order.session) if name)
        parts.append(f"{names}\n{when}\n{link}")
    parts.append(speak.gettext("If this was not you, do nothing: nobody else was sent these links."))
    message.set_content("\n\n".join([*parts, "Fullhouse"]) + "\n")
    message["Content-Language"] = speak.html_language
    return message
