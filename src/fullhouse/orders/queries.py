"""Reading orders, their lines, units and contacts, without locks."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record
from fullhouse.orders.rules import Contact, Order, OrderLine, OrderStatus, Unit
from fullhouse.pricing.parts import Parts, line_quote_from_json
from fullhouse.reservations.rules import HeldSeat


async def load_order(conn: Connection, organization_id: UUID, order_id: UUID) -> Order | None:
    """Load an order, or None where the organization has no such order."""
    row = await conn.fetchrow(
        "SELECT * FROM orders WHERE organization_id = $1 AND order_id = $2", organization_id, order_id
    )
    return order_of(row) if row else None


async def load_orders(conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]) -> dict[UUID, Order]:
    """Load orders of an organization by their ids."""
    rows = await conn.fetch(
        "SELECT * FROM orders WHERE organization_id = $1 AND order_id = ANY ($2::uuid[])", organization_id, order_ids
    )
    return {row["order_id"]: order_of(row) for row in rows}


async def find_orders_of_reservations(
    conn: Connection, organization_id: UUID, reservation_ids: Sequence[UUID]
) -> dict[UUID, UUID]:
    """Return the orders that were placed from reservations, by reservation."""
    rows = await conn.fetch(
        """
        SELECT reservation_id, order_id FROM orders
        WHERE organization_id = $1 AND reservation_id = ANY ($2::uuid[])
        """,
        organization_id,
        reservation_ids,
    )
    return {row["reservation_id"]: row["order_id"] for row in rows}


async def find_orders_of_email(
    conn: Connection, email_hash: bytes, *, before: UUID | None, limit: int
) -> list[tuple[UUID, UUID]]:
    """Find orders of a mail address in all organizations, as ids of organization and order, the newest first."""
    rows = await conn.fetch(
        """
        SELECT organization_id, order_id FROM order_emails
        WHERE email_hash = $1 AND ($2::uuid IS NULL OR order_id < $2) ORDER BY order_id DESC LIMIT $3
        """,
        email_hash,
        before,
        limit,
    )
    return [(row["organization_id"], row["order_id"]) for row in rows]


async def find_ordered(conn: Connection, reservations: Sequence[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Return those of (organization, reservation) pairs from which an order was placed, in whatever state it is."""
    rows = await conn.fetch(
        """
        SELECT o.organization_id, o.reservation_id
        FROM unnest($1::uuid[], $2::uuid[]) AS r(organization_id, reservation_id)
        JOIN orders o ON o.organization_id = r.organization_id AND o.reservation_id = r.reservation_id
        """,
        [organization_id for organization_id, _ in reservations],
        [reservation_id for _, reservation_id in reservations],
    )
    return {(row["organization_id"], row["reservation_id"]) for row in rows}


async def load_lines(conn: Connection, organization_id: UUID, order_id: UUID) -> tuple[OrderLine, ...]:
    """Load an order's lines by number."""
    rows = await conn.fetch(
        "SELECT * FROM order_lines WHERE organization_id = $1 AND order_id = $2 ORDER BY line_number",
        organization_id,
        order_id,
    )
    return tuple(_line(row) for row in rows)


async def load_lines_of_orders(
    conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]
) -> dict[UUID, tuple[OrderLine, ...]]:
    """Load the lines of several orders, each by number."""
    rows = await conn.fetch(
        """
        SELECT * FROM order_lines WHERE organization_id = $1 AND order_id = ANY ($2::uuid[])
        ORDER BY order_id, line_number
        """,
        organization_id,
        order_ids,
    )
    return {order_id: tuple(map(_line, some)) for order_id, some in groupby(rows, key=itemgetter("order_id"))}


async def load_contact(conn: Connection, organization_id: UUID, order_id: UUID) -> Contact | None:
    """Load who bought, or None where it was erased."""
    row = await conn.fetchrow(
        "SELECT email, name FROM order_contacts WHERE organization_id = $1 AND order_id = $2", organization_id, order_id
    )
    return Contact(row["email"], row["name"]) if row else None


async def load_contacts(conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]) -> dict[UUID, Contact]:
    """Load who bought, of several orders; one that was erased is left out."""
    rows = await conn.fetch(
        """
        SELECT order_id, email, name FROM order_contacts WHERE organization_id = $1 AND order_id = ANY ($2::uuid[])
        """,
        organization_id,
        order_ids,
    )
    return {row["order_id"]: Contact(row["email"], row["name"]) for row in rows}


async def load_units(conn: Connection, organization_id: UUID, order_id: UUID) -> tuple[Unit, ...]:
    """Load all units of an order, live and cancelled, by line and number."""
    return await load_units_of_orders(conn, organization_id, [order_id])


async def load_units_of_orders(conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]) -> tuple[Unit, ...]:
    """Load the same of several orders, one order after the other."""
    rows = await conn.fetch(
        """
        SELECT * FROM units WHERE organization_id = $1 AND order_id = ANY ($2::uuid[])
        ORDER BY order_id, line_number, number
        """,
        organization_id,
        order_ids,
    )
    return tuple(unit_of(row) for row in rows)


def order_of(row: Record) -> Order:
    """Build an order from its row."""
    return Order(
        organization_id=row["organization_id"],
        order_id=row["order_id"],
        event_id=row["event_id"],
        session_id=row["session_id"],
        reservation_id=row["reservation_id"],
        status=OrderStatus(row["status"]),
        secret_hash=row["secret_hash"],
        total_minor=row["total_minor"],
        currency=row["currency"],
        language=row["language"],
        placed_at=row["placed_at"],
        paid_at=row["paid_at"],
        ended_at=row["ended_at"],
        reason=row["reason"],
    )


async def count_places_of_buyers(
    conn: Connection, organization_id: UUID, asked: Sequence[tuple[UUID, str]]
) -> dict[tuple[UUID, str], int]:
    """Count the places that buyers have of events: sold to them, or held by an order that may still be paid.

    ``asked`` names event and buyer, who is as ``buyer_of`` writes it; the index on contacts has the same expression.
    """
    rows = await conn.fetch(
        """
        SELECT asked.event_id, asked.buyer, had.count
        FROM unnest($2::uuid[], $3::text[]) AS asked(event_id, buyer)
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(CASE o.status
                WHEN 'paid' THEN (SELECT count(*) FROM units u
                    WHERE u.organization_id = $1 AND u.order_id = o.order_id AND u.status = 'live')
                ELSE (SELECT coalesce(sum(l.quantity), 0) FROM order_lines l
                    WHERE l.organization_id = $1 AND l.order_id = o.order_id AND l.kind = 'ticket') END), 0)::bigint
                AS count
            FROM order_contacts c JOIN orders o USING (organization_id, order_id)
            WHERE c.organization_id = $1 AND o.event_id = asked.event_id
                AND lower(regexp_replace(c.email, '[+][^@]*@', '@')) = asked.buyer
                AND (o.status IN ('paid', 'paid_unseated') OR o.status = 'pending' AND EXISTS (
                    SELECT FROM reservations r WHERE r.organization_id = $1 AND r.reservation_id = o.reservation_id
                        AND r.status = 'held' AND r.expires_at > clock_timestamp()))
        ) had
        """,
        organization_id,
        [event_id for event_id, _ in asked],
        [buyer for _, buyer in asked],
    )
    return {(row["event_id"], row["buyer"]): row["count"] for row in rows}


async def count_uses_of_buyer(conn: Connection, organization_id: UUID, code_id: UUID, buyer: str) -> int:
    """Count the orders of a buyer that use a code; ``buyer`` is as ``buyer_of`` writes it."""
    count: int = await conn.fetchval(
        """
        SELECT count(*) FROM order_contacts c JOIN code_uses u USING (organization_id, order_id)
        WHERE c.organization_id = $1 AND u.code_id = $2 AND u.returned_at IS NULL
            AND lower(regexp_replace(c.email, '[+][^@]*@', '@')) = $3
        """,
        organization_id,
        code_id,
        buyer,
    )
    return count


def unit_of(row: Record) -> Unit:
    """Build a unit from its row."""
    seat = None
    if row["seat_index"] is not None:
        seat = HeldSeat(row["seat_index"], row["seat_key"], row["seat_label"])
    return Unit(
        unit_id=row["unit_id"],
        order_id=row["order_id"],
        line_number=row["line_number"],
        number=row["number"],
        session_id=row["session_id"],
        ticket_type_id=row["ticket_type_id"],
        price_category_id=row["price_category_id"],
        area=row["area"],
        seat=seat,
        quota_ids=tuple(row["quota_ids"]),
        price_minor=row["price_minor"],
        live=row["status"] == "live",
        parts=Parts(*(row[name] for name in Parts._fields)),
    )


def _line(row: Record) -> OrderLine:
    indexes: Sequence[int] = row["seats"]
    return OrderLine(
        line_number=row["line_number"],
        kind=row["kind"],
        ticket_type_id=row["ticket_type_id"],
        price_category_id=row["price_category_id"],
        description=row["description"],
        area=row["area"],
        seats=tuple(
            HeldSeat(index, key, label)
            for index, key, label in zip(indexes, row["seat_keys"], row["seat_labels"], strict=True)
        ),
        quantity=row["quantity"],
        price_minor=row["price_minor"],
        quote=line_quote_from_json(row["quote"]) if row["quote"] else None,
    )
