"""Issuing tickets: the consumer of ``order.paid``."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.directory import register
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection
from fullhouse.orders.queries import load_order, load_units
from fullhouse.orders.rules import OrderNotFound
from fullhouse.tickets.messages import TicketIssued
from fullhouse.tickets.rotate_ticket_key import use_ticket_key
from fullhouse.tickets.rules import Ticket
from fullhouse.tickets.writes import insert_first_tickets, lock_order_tickets


async def issue_tickets(
    conn: Connection, make_id: MakeId, server_key: bytes, organization_id: UUID, order_id: UUID
) -> Sequence[Ticket]:
    """Issue the first ticket of every live unit of an order that has none. Returns those that are new.

    Repeating it, or running it beside itself, issues nothing more: ``tickets_generation`` decides. Announces
    ``ticket.issued`` if there is a new ticket. Raises ``OrderNotFound``.
    """
    order = await load_order(conn, organization_id, order_id)
    if order is None:
        raise OrderNotFound
    await lock_order_tickets(conn, organization_id, order_id)
    live = [unit.unit_id for unit in await load_units(conn, organization_id, order_id) if unit.live]
    if not live:
        return []
    key = await use_ticket_key(conn, server_key, organization_id)
    issued = await insert_first_tickets(conn, order, key.key_id, [(make_id(), unit_id) for unit_id in live])
    if issued:
        await register(conn, "ticket", organization_id, [ticket.ticket_id for ticket in issued])
        await append(conn, make_id, [TicketIssued(issued)])
    return issued
