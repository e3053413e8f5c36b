"""Voiding tickets, in the transaction that takes their units back."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection
from fullhouse.tickets.messages import TicketVoided
from fullhouse.tickets.rules import Ticket
from fullhouse.tickets.writes import end_tickets, lock_order_tickets


async def void_tickets(
    conn: Connection, make_id: MakeId, organization_id: UUID, order_id: UUID, unit_ids: Sequence[UUID]
) -> Sequence[Ticket]:
    """Void the valid tickets of units of one order. Returns those voided now; announces ``ticket.voided`` for them.

    Call it in the transaction that cancels the units: tickets that are just being issued are waited for, and none
    is issued for these units afterwards. Takes its lock after those of stock, order and payment.
    """
    await lock_order_tickets(conn, organization_id, order_id)
    voided = await end_tickets(conn, organization_id, order_id, unit_ids)
    if voided:
        await append(conn, make_id, [TicketVoided(voided)])
    return voided
