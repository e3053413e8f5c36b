"""Issuing tickets: the consumer of ``order.paid``, and what is done at once where many orders are paid together."""

from collections.abc import Sequence
from itertools import groupby
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.core.message import Message
from fullhouse.infra.directory import register
from fullhouse.infra.outbox import Told, append, append_many
from fullhouse.infra.postgres import Connection
from fullhouse.orders.queries import load_orders, load_units_of_orders
from fullhouse.orders.rules import OrderNotFound
from fullhouse.payments.settle_together import Bought
from fullhouse.tickets.messages import TicketIssued
from fullhouse.tickets.rotate_ticket_key import use_ticket_key
from fullhouse.tickets.rules import Ticket, TicketKey
from fullhouse.tickets.writes import NewTicket, insert_first_tickets, lock_order_tickets


async def issue_tickets(
    conn: Connection, make_id: MakeId, server_key: bytes, organization_id: UUID, order_id: UUID
) -> Sequence[Ticket]:
    """Issue the first ticket of every live unit of an order that has none. Returns those that are new.

    Repeating it, or running it beside itself, issues nothing more: ``tickets_generation`` decides. Announces
    ``ticket.issued`` if there is a new ticket. Raises ``OrderNotFound``.
    """
    issued = await _issue(conn, make_id, server_key, organization_id, [order_id])
    await append(conn, make_id, list(map(TicketIssued, issued)))
    return issued[0] if issued else []


async def issue_tickets_together(
    conn: Connection, make_id: MakeId, server_key: bytes, messages: Sequence[Message]
) -> None:
    """Do the same for several orders of an organization that were paid, in a constant number of statements."""
    if not messages:
        return
    of_order = {message.key: message for message in messages}
    issued = await _issue(conn, make_id, server_key, messages[0].organization_id, list(of_order))
    told = [(of_order[tickets[0].order_id], TicketIssued(tickets)) for tickets in issued]
    await append_many(conn, make_id, [Told(fact, message.request_id, message.traceparent) for message, fact in told])


async def issue_bought(
    conn: Connection, make_id: MakeId, server_key: bytes, organization_id: UUID, bought: Sequence[Bought]
) -> None:
    """Issue the tickets of orders in the transaction that they were paid in.

    Nobody else can see their units yet, so that nothing is looked at and nothing is locked.
    """
    key = await use_ticket_key(conn, server_key, organization_id)
    wanted = [NewTicket(one.paid.order, make_id(), unit_id) for one in bought for unit_id in one.paid.unit_ids]
    messages = {one.paid.order.order_id: one.message for one in bought}
    issued = await _write(conn, organization_id, key, wanted)
    told = [(messages[tickets[0].order_id], TicketIssued(tickets)) for tickets in issued]
    await append_many(conn, make_id, [Told(fact, message.request_id, message.traceparent) for message, fact in told])


async def _issue(
    conn: Connection, make_id: MakeId, server_key: bytes, organization_id: UUID, order_ids: Sequence[UUID]
) -> list[Sequence[Ticket]]:
    """Issue what orders have no tickets for yet; return the new ones, order by order. Locks them in order of ids."""
    orders = await load_orders(conn, organization_id, order_ids)
    if len(orders) != len(order_ids):
        raise OrderNotFound
    await lock_order_tickets(conn, organization_id, *order_ids)
    units = await load_units_of_orders(conn, organization_id, order_ids)
    live = [unit for unit in units if unit.live]
    if not live:
        return []
    key = await use_ticket_key(conn, server_key, organization_id)
    wanted = [NewTicket(orders[unit.order_id], make_id(), unit.unit_id) for unit in live]
    return await _write(conn, organization_id, key, wanted)


async def _write(
    conn: Connection, organization_id: UUID, key: TicketKey, wanted: Sequence[NewTicket]
) -> list[Sequence[Ticket]]:
    issued = await insert_first_tickets(conn, organization_id, key.key_id, wanted)
    if not issued:
        return []
    await register(conn, "ticket", organization_id, [ticket.ticket_id for ticket in issued])
    by_order = sorted(issued, key=lambda ticket: (ticket.order_id, ticket.ticket_id))
    return [tuple(some) for _, some in groupby(by_order, key=lambda ticket: ticket.order_id)]
