"""Reading tickets, their keys, and what was rendered and mailed."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record
from fullhouse.orders.rules import OrderStatus
from fullhouse.tickets.rules import LinkRequest, Mail, OrderSummary, Ticket, TicketKey, TicketStatus


async def load_tickets(conn: Connection, organization_id: UUID, *order_ids: UUID) -> tuple[Ticket, ...]:
    """Load all tickets of orders, valid or not, by id."""
    rows = await conn.fetch(
        "SELECT * FROM tickets WHERE organization_id = $1 AND order_id = ANY ($2::uuid[]) ORDER BY ticket_id",
        organization_id,
        order_ids,
    )
    return tuple(ticket_of(row) for row in rows)


async def load_ticket(conn: Connection, organization_id: UUID, ticket_id: UUID) -> Ticket | None:
    """Load a ticket, or None where the organization has no such ticket."""
    row = await conn.fetchrow(
        "SELECT * FROM tickets WHERE organization_id = $1 AND ticket_id = $2", organization_id, ticket_id
    )
    return ticket_of(row) if row else None


async def load_ticket_key(conn: Connection, organization_id: UUID, key_id: int) -> TicketKey | None:
    """Load the public key that a code names, retired or not; None where the organization has no such key."""
    row = await conn.fetchrow(
        """
        SELECT key_id, public_key, retired_at IS NOT NULL AS retired FROM ticket_keys
        WHERE organization_id = $1 AND key_id = $2
        """,
        organization_id,
        key_id,
    )
    return TicketKey(**dict(row)) if row else None


async def load_newest_key(conn: Connection, organization_id: UUID) -> TicketKey | None:
    """Load the key with the highest number, or None where the organization has none yet."""
    row = await conn.fetchrow(
        """
        SELECT key_id, public_key, retired_at IS NOT NULL AS retired FROM ticket_keys
        WHERE organization_id = $1 ORDER BY key_id DESC LIMIT 1
        """,
        organization_id,
    )
    return TicketKey(**dict(row)) if row else None


async def find_mailed(
    conn: Connection, organization_id: UUID, mails: Sequence[tuple[UUID, str]]
) -> set[tuple[UUID, str]]:
    """Return those of these mails, by order and kind, that were sent and taken."""
    rows = await conn.fetch(
        """
        SELECT order_id, kind FROM mail_deliveries JOIN unnest($2::uuid[], $3::text[]) AS m(order_id, kind)
        USING (order_id, kind)
        WHERE organization_id = $1 AND problem IS DISTINCT FROM 'refused'
        """,
        organization_id,
        [order_id for order_id, _ in mails],
        [kind for _, kind in mails],
    )
    return {(row["order_id"], row["kind"]) for row in rows}


async def is_mailed(conn: Connection, organization_id: UUID, order_id: UUID, kind: str) -> bool:
    """Say whether a mail of this kind was sent for an order, and taken."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (
            SELECT 1 FROM mail_deliveries WHERE organization_id = $1 AND order_id = $2 AND kind = $3
              AND problem IS DISTINCT FROM 'refused'
        )
        """,
        organization_id,
        order_id,
        kind,
    )
    return found


async def mailing_number(conn: Connection, organization_id: UUID, order_id: UUID) -> int | None:
    """Return a number for one more mail with an order's tickets, larger than any before, or None without valid ones.

    The order is locked by the caller, so that no two mails have one number.
    """
    number: int | None = await conn.fetchval(
        """
        SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
        WHERE EXISTS (SELECT FROM tickets WHERE organization_id = $1 AND order_id = $2 AND status = 'valid')
        """,
        organization_id,
        order_id,
    )
    return number


async def load_copies(conn: Connection, organization_id: UUID, order_id: UUID) -> tuple[list[str], list[str]]:
    """Return the keys of an order's stored documents, and the ids of its mails."""
    row = await conn.fetchrow(
        """
        SELECT array(SELECT object_key FROM ticket_documents
                     WHERE organization_id = $1 AND order_id = $2) AS object_keys,
               array(SELECT message_id FROM mail_deliveries
                     WHERE organization_id = $1 AND order_id = $2) AS message_ids
        """,
        organization_id,
        order_id,
    )
    return (list(row["object_keys"]), list(row["message_ids"])) if row else ([], [])


async def load_mails(conn: Connection, organization_id: UUID, order_id: UUID) -> tuple[Mail, ...]:
    """Load the mails about an order, in the order in which they were sent."""
    rows = await conn.fetch(
        """
        SELECT kind, sent_at, problem, problem_is_permanent, problem_reason, problem_at FROM mail_deliveries
        WHERE organization_id = $1 AND order_id = $2 ORDER BY sent_at, kind
        """,
        organization_id,
        order_id,
    )
    return tuple(Mail(**dict(row)) for row in rows)


async def load_summaries(conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]) -> list[OrderSummary]:
    """Load what a list says of orders of one organization; an order whose buyer was erased meanwhile is left out."""
    rows = await conn.fetch(
        """
        SELECT o.organization_id, g.name AS organization, o.order_id, o.status, o.total_minor, o.currency, o.placed_at,
               o.event_id, e.name AS event, e.location, o.session_id, s.name AS session, s.starts_at, s.time_zone,
               (SELECT count(*) FROM tickets t
                WHERE t.organization_id = $1 AND t.order_id = o.order_id AND t.status = 'valid') AS ticket_count
        FROM orders o
        JOIN order_contacts c USING (organization_id, order_id)
        JOIN organizations g USING (organization_id)
        JOIN sessions s USING (organization_id, session_id)
        JOIN events e ON e.organization_id = o.organization_id AND e.event_id = o.event_id
        WHERE o.organization_id = $1 AND o.order_id = ANY ($2)
        """,
        organization_id,
        order_ids,
    )
    return [replace(OrderSummary(**dict(row)), status=OrderStatus(row["status"])) for row in rows]


async def load_link_request(conn: Connection, request_id: UUID) -> LinkRequest | None:
    """Load who wants links to their orders, or None once they were sent."""
    row = await conn.fetchrow(
        "SELECT request_id, email, language, created_at FROM link_requests WHERE request_id = $1", request_id
    )
    return LinkRequest(**dict(row)) if row else None


def ticket_of(row: Record) -> Ticket:
    """Build a ticket from its row."""
    return Ticket(
        organization_id=row["organization_id"],
        ticket_id=row["ticket_id"],
        event_id=row["event_id"],
        session_id=row["session_id"],
        order_id=row["order_id"],
        unit_id=row["unit_id"],
        generation=row["generation"],
        status=TicketStatus(row["status"]),
        key_id=row["key_id"],
        issued_at=row["issued_at"],
        ended_at=row["ended_at"],
    )


async def find_orders_with_tickets(conn: Connection, orders: Sequence[tuple[UUID, UUID]]) -> set[UUID]:
    """Return which of these orders, each named with its organization, have tickets."""
    rows = await conn.fetch(
        """
        SELECT asked.order_id FROM unnest($1::uuid[], $2::uuid[]) AS asked(organization_id, order_id)
        CROSS JOIN LATERAL (
            SELECT FROM tickets t
            WHERE t.organization_id = asked.organization_id AND t.order_id = asked.order_id LIMIT 1
        ) AS found
        """,
        [organization_id for organization_id, _ in orders],
        [order_id for _, order_id in orders],
    )
    return {row["order_id"] for row in rows}
