"""Mailing an order's tickets again, by request."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection
from fullhouse.tickets.messages import TicketMailRequested
from fullhouse.tickets.queries import mailing_number


async def mail_again(conn: Connection, make_id: MakeId, organization_id: UUID, order_id: UUID) -> bool:
    """Ask for one more mail with the order's valid tickets; return False where there are none, or none any more.

    Every request is a mail of its own, whatever became of those before. The order is locked by the caller.
    """
    number = await mailing_number(conn, organization_id, order_id)
    if number is None:
        return False
    await append(conn, make_id, [TicketMailRequested(organization_id, order_id, number)])
    return True
