"""Removing what was rendered and mailed of an order: the documents, and copies in a local mailbox."""

from typing import get_args
from uuid import UUID

from fullhouse.infra.postgres import Pool, connection
from fullhouse.tickets.mail_order_news import News
from fullhouse.tickets.mail_tickets import Mailroom
from fullhouse.tickets.queries import load_copies
from fullhouse.tickets.write_mail import kind_of
from fullhouse.tickets.writes import delete_documents


async def erase_documents(pool: Pool, mailroom: Mailroom, organization_id: UUID, order_id: UUID) -> None:
    """Remove an order's stored documents and mails; a ticket that is asked for later is rendered without a name.

    Mails are removed where they are ours, in a mailbox folder. May be repeated after any crash. Raises
    ``ObjectStoreUnavailable``, ``MailUnavailable``.
    """
    async with connection(pool, organization_id) as conn:
        object_keys, message_ids = await load_copies(conn, organization_id, order_id)
    for object_key in object_keys:
        await mailroom.object_store.delete(object_key)
    # Also those that went out when whoever sent them died before noting it.
    unnoted = [f"<{kind}.{order_id}@{mailroom.host}>" for kind in (kind_of(0), *get_args(News))]
    for message_id in {*message_ids, *unnoted}:
        await mailroom.mailer.forget(message_id)
    async with connection(pool, organization_id) as conn:
        await delete_documents(conn, organization_id, order_id, object_keys)
