"""Mailing an order's tickets, once they are issued."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from fullhouse.core.secrets import derive_key, derive_secret
from fullhouse.infra.mailer import Mailer, MailRefused
from fullhouse.infra.object_store import ObjectStore
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.infra.resources import Resources
from fullhouse.infra.tracing import span
from fullhouse.tickets.load_sale import load_sale
from fullhouse.tickets.note_mail_feedback import note_refusal
from fullhouse.tickets.queries import is_mailed
from fullhouse.tickets.render_order_documents import render_sale
from fullhouse.tickets.write_mail import kind_of, message_id_of, write_mail
from fullhouse.tickets.writes import note_delivery


@dataclass(frozen=True, slots=True)
class Mailroom:
    """What mailing needs beside the database."""

    object_store: ObjectStore
    mailer: Mailer
    server_key: bytes
    order_link: Callable[[UUID], str]
    """Makes the address of an order's page, which opens it."""
    host: str
    """Our own name, in the ids of mails and calendar entries."""


def open_mailroom(resources: Resources) -> Mailroom:
    """Return the mailroom of a process. The link in a mail carries the order's secret, which opens its page."""
    order_key = derive_key(resources.secret_key, "order")

    def order_link(order_id: UUID) -> str:
        return f"{resources.public_url}/orders/{order_id}/{derive_secret(order_key, order_id)}"

    return Mailroom(
        object_store=resources.object_store,
        mailer=resources.mailer,
        server_key=resources.secret_key,
        order_link=order_link,
        host=urlsplit(resources.public_url).hostname or "localhost",
    )


async def mail_tickets(pool: Pool, mailroom: Mailroom, organization_id: UUID, order_id: UUID, number: int = 0) -> bool:
    """Send a mail with an order's valid tickets to its buyer. Returns whether it was sent now.

    Without a number it is the one mail after the tickets were issued; each that is asked for later has its own. Sent
    at least once and then recorded: a crash between the two sends the same Message-ID again, which a local
    mailbox keeps once. Nothing is sent where the order has no valid ticket or its buyer's address was erased.
    An address that the server refuses is noted with the order, and is the end of it. Raises ``OrderNotFound``,
    ``ObjectStoreUnavailable``, ``MailUnavailable``, and ``MailRefused`` for other refusals.
    """
    async with connection(pool, organization_id) as conn:
        if await is_mailed(conn, organization_id, order_id, kind_of(number)):
            return False
        sale = await load_sale(conn, organization_id, order_id)
    rendered = await render_sale(pool, mailroom.object_store, mailroom.server_key, sale)
    if rendered is None or sale.contact is None:
        return False
    link, document = mailroom.order_link(order_id), rendered.document
    message_id = message_id_of(order_id, mailroom.host, number)
    message = await asyncio.to_thread(write_mail, sale, sale.contact, document, rendered.data, link, message_id)
    try:
        with span("send mail", "client"):
            await mailroom.mailer.send(message)
    except MailRefused as refused:
        await note_refusal(pool, organization_id, message_id, refused)
        return False
    async with transaction(pool, organization_id) as conn:
        await note_delivery(conn, organization_id, order_id, kind_of(number), message_id)
    return True
