"""Mailing an order's tickets again, by request."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.mail_feedback import Feedback
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection
from fullhouse.tickets.messages import TicketMailRequested
from fullhouse.tickets.queries import mailing_number
from fullhouse.tickets.write_mail import kind_of, message_id_of
from fullhouse.tickets.writes import note_problem

NOT_SENT_YET = "it is not sent yet"


async def mail_again(conn: Connection, make_id: MakeId, host: str, organization_id: UUID, order_id: UUID) -> bool:
    """Ask for one more mail with the order's valid tickets; return False where there are none, or none any more.

    Every request is a mail of its own, whatever became of those before. It is noted with the order at once, as one that
    has not arrived, so that whoever erases the buyer finds it, whatever dies meanwhile. The order is locked by the
    caller; ``host`` names us.
    """
    number = await mailing_number(conn, organization_id, order_id)
    if number is None:
        return False
    waiting = Feedback(message_id_of(order_id, host, number), "refused", is_permanent=False, reason=NOT_SENT_YET)
    await note_problem(conn, organization_id, order_id, kind_of(number), waiting)
    await append(conn, make_id, [TicketMailRequested(organization_id, order_id, number)])
    return True
