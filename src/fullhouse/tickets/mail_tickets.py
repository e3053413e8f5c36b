"""Mailing an order's tickets, once they are issued."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit
from uuid import UUID

from fullhouse.core.secrets import derive_key, derive_secret
from fullhouse.infra.batches import Batches, Pace
from fullhouse.infra.mailer import Mailer, MailRefused, MailUnavailable
from fullhouse.infra.object_store import ObjectStore
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.infra.resources import Resources
from fullhouse.infra.tracing import span
from fullhouse.orders.rules import OrderNotFound
from fullhouse.tickets.load_sale import Sale, load_sales
from fullhouse.tickets.note_mail_feedback import note_refusal
from fullhouse.tickets.queries import find_mailed
from fullhouse.tickets.render_order_documents import render_and_store
from fullhouse.tickets.write_mail import kind_of, message_id_of, write_mail
from fullhouse.tickets.writes import SentMail, StoredDocument, note_deliveries, note_documents

_PACE = Pace(gather_seconds=0.02)
"""How long what is read or noted of a mail waits for that of others: a mail takes longer, a thousand do not."""


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


@dataclass(frozen=True, slots=True)
class _Found:
    sale: Sale | None
    """None where the mail was sent before."""


class MailRecords:
    """What is read and noted of mails under way: of those of one organization together, in few statements."""

    def __init__(self, pool: Pool) -> None:
        """Begin with nothing under way."""
        self.pool = pool
        full = partial(MailUnavailable, retry_after_seconds=5)
        self._loading: Batches[tuple[UUID, str], _Found] = Batches(
            self._load, name="load sales of", full=full, pace=_PACE
        )
        self._noting: Batches[StoredDocument, bool] = Batches(
            self._note_documents, name="note documents of", full=full, pace=_PACE
        )
        self._sent: Batches[SentMail, bool] = Batches(self._note_sent, name="note mails of", full=full, pace=_PACE)

    async def load(self, organization_id: UUID, order_id: UUID, kind: str) -> Sale | None:
        """Load the sale of an order whose mail of a kind was not sent yet, else None. Raises ``OrderNotFound``."""
        return (await self._loading.ask(organization_id, (order_id, kind))).sale

    async def note_document(self, document: StoredDocument) -> None:
        """Note a document that is about to be stored; committed when it returns."""
        await self._noting.ask(document.organization_id, document)

    async def note_sent(self, organization_id: UUID, mail: SentMail) -> None:
        """Note a mail that was taken; committed when it returns."""
        await self._sent.ask(organization_id, mail)

    async def _load(self, organization_id: UUID, mails: Sequence[tuple[UUID, str]]) -> list[_Found | Exception | None]:
        async with connection(self.pool, organization_id) as conn:
            sent = await find_mailed(conn, organization_id, mails)
            wanted = sorted({order_id for order_id, kind in mails if (order_id, kind) not in sent})
            sales = await load_sales(conn, organization_id, wanted) if wanted else {}
        return [
            _Found(None) if mail in sent else _Found(sales[mail[0]]) if mail[0] in sales else OrderNotFound()
            for mail in mails
        ]

    async def _note_documents(
        self, organization_id: UUID, documents: Sequence[StoredDocument]
    ) -> list[bool | Exception | None]:
        async with transaction(self.pool, organization_id) as conn:
            await note_documents(conn, organization_id, documents)
        return [True for _ in documents]

    async def _note_sent(self, organization_id: UUID, mails: Sequence[SentMail]) -> list[bool | Exception | None]:
        async with transaction(self.pool, organization_id) as conn:
            await note_deliveries(conn, organization_id, mails)
        return [True for _ in mails]


async def mail_tickets(
    records: MailRecords, mailroom: Mailroom, organization_id: UUID, order_id: UUID, number: int = 0
) -> bool:
    """Send a mail with an order's valid tickets to its buyer. Returns whether it was sent now.

    Without a number it is the one mail after the tickets were issued; each that is asked for later has its own. Sent
    at least once and then recorded: a crash between the two sends the same Message-ID again, which a local
    mailbox keeps once. Nothing is sent where the order has no valid ticket or its buyer's address was erased.
    An address that the server refuses is noted with the order, and is the end of it. Raises ``OrderNotFound``,
    ``ObjectStoreUnavailable``, ``MailUnavailable``, and ``MailRefused`` for other refusals.
    """
    sale = await records.load(organization_id, order_id, kind_of(number))
    if sale is None:
        return False
    rendered = await render_and_store(records.note_document, mailroom.object_store, mailroom.server_key, sale)
    if rendered is None or sale.contact is None:
        return False
    link, document = mailroom.order_link(order_id), rendered.document
    message_id = message_id_of(order_id, mailroom.host, number)
    message = await asyncio.to_thread(write_mail, sale, sale.contact, document, rendered.data, link, message_id)
    try:
        with span("send mail", "client"):
            await mailroom.mailer.send(message)
    except MailRefused as refused:
        await note_refusal(records.pool, organization_id, message_id, refused)
        return False
    await records.note_sent(organization_id, SentMail(order_id, kind_of(number), message_id))
    return True
