"""Rendering the tickets of an order and keeping them in the object store."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from fullhouse.infra.object_store import ObjectMissing, ObjectStore
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.tickets.describe_tickets import describe_tickets
from fullhouse.tickets.load_sale import Sale, load_sale
from fullhouse.tickets.render_ticket import document_digest, render_pdf
from fullhouse.tickets.rules import PDF_TYPE, Document
from fullhouse.tickets.writes import StoredDocument, note_documents

Note = Callable[[StoredDocument], Awaitable[object]]
"""Commits the note of a document before it returns."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A PDF and where it is kept. The key is made from what the PDF shows, so it changes when that does."""

    object_key: str
    data: bytes
    document: Document
    """What it shows."""


async def render_order_documents(
    pool: Pool,
    object_store: ObjectStore,
    server_key: bytes,
    organization_id: UUID,
    order_id: UUID,
    only: UUID | None = None,
) -> Rendered | None:
    """Render the valid tickets of an order, or the one with an id, unless the same PDF is stored already.

    Returns None where there is no valid ticket. May be repeated after any crash: equal content has an equal key.
    Raises ``OrderNotFound``, ``ObjectStoreUnavailable``.
    """
    async with connection(pool, organization_id) as conn:
        sale = await load_sale(conn, organization_id, order_id)
    return await render_sale(pool, object_store, server_key, sale, only)


async def render_sale(
    pool: Pool, object_store: ObjectStore, server_key: bytes, sale: Sale, only: UUID | None = None
) -> Rendered | None:
    """Do the same for a sale that is loaded."""

    async def note(document: StoredDocument) -> None:
        async with transaction(pool, document.organization_id) as conn:
            await note_documents(conn, document.organization_id, [document])

    return await render_and_store(note, object_store, server_key, sale, only)


async def render_and_store(
    note: Note, object_store: ObjectStore, server_key: bytes, sale: Sale, only: UUID | None = None
) -> Rendered | None:
    """Do the same, where the caller notes what is about to be stored."""
    document = await asyncio.to_thread(describe_tickets, sale, server_key, only)
    if document is None:
        return None
    organization_id, order_id = sale.order.organization_id, sale.order.order_id
    key = f"{organization_id}/orders/{order_id}/tickets-{document_digest(document)}.pdf"
    try:
        data = await object_store.get(key)
        is_stored = True
    except ObjectMissing:
        data = await asyncio.to_thread(render_pdf, document)
        is_stored = False
    # Noted before it is stored, each time: nothing is ever stored that erasing the buyer would not find.
    await note(StoredDocument(organization_id, order_id, key, PDF_TYPE, len(data)))
    if not is_stored:
        await object_store.put(key, data, PDF_TYPE)
    return Rendered(key, data, document)
