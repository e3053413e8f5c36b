"""Reading what the door needs of tickets, of many in one statement."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fullhouse.admission.rules import Admission, Direction, DoorTicket
from fullhouse.infra.postgres import Connection, Record
from fullhouse.tickets.rules import TicketStatus


class ScanLine(NamedTuple):
    """The line of the log that a scan wrote."""

    ticket_id: UUID
    direction: Direction
    admission: Admission


class AtTheDoor(NamedTuple):
    """A ticket that was scanned, the line that the scan wrote when it was sent before, and the database's time."""

    ticket: DoorTicket
    line: ScanLine | None
    now: datetime


class Wanted(NamedTuple):
    """A scan by its place among others, and what it names."""

    place: int
    ticket_id: UUID
    scan_id: str | None


async def load_at_the_door(conn: Connection, organization_id: UUID, wanted: Sequence[Wanted]) -> dict[int, AtTheDoor]:
    """Load tickets, each with the latest entry of its unit and the line of its scan, by place. Some are not there."""
    rows = await conn.fetch(
        """
        WITH scanned AS MATERIALIZED (
            SELECT asked.place, asked.scan_id, t.ticket_id, t.event_id, t.session_id, t.order_id, t.unit_id,
                   t.generation, t.status, u.session_id AS sold_in, u.ticket_type_id, u.price_category_id,
                   u.area, u.seat_label
            FROM unnest($2::int[], $3::uuid[], $4::text[]) AS asked(place, ticket_id, scan_id)
            CROSS JOIN LATERAL (
                SELECT * FROM tickets WHERE organization_id = $1 AND ticket_id = asked.ticket_id OFFSET 0
            ) AS t
            CROSS JOIN LATERAL (
                SELECT * FROM units WHERE organization_id = $1 AND unit_id = t.unit_id OFFSET 0
            ) AS u
        ), about AS MATERIALIZED (
            SELECT o.*, e.name AS event_name, s.name AS session_name, s.starts_at, s.entry_from, s.entry_until, s.gates,
                   coalesce(y.name, '') AS ticket_type, coalesce(c.name, '') AS price_category
            FROM (
                SELECT DISTINCT event_id, session_id, sold_in, ticket_type_id, price_category_id FROM scanned
            ) AS o
            JOIN sessions s ON s.organization_id = $1 AND s.session_id = o.session_id
            JOIN events e ON e.organization_id = $1 AND e.event_id = o.event_id
            LEFT JOIN ticket_types y ON y.organization_id = $1 AND y.session_id = o.sold_in
                AND y.ticket_type_id = o.ticket_type_id
            LEFT JOIN price_categories c ON c.organization_id = $1 AND c.session_id = o.sold_in
                AND c.price_category_id = o.price_category_id
        )
        SELECT t.place, t.ticket_id, t.event_id, t.session_id, t.order_id, t.unit_id, t.generation, t.status,
               b.event_name, b.session_name, b.starts_at, b.entry_from, b.entry_until, b.gates, b.ticket_type,
               b.price_category, t.area, t.seat_label, latest.*, clock_timestamp() AS now,
               l.ticket_id AS line_ticket_id, l.entry_number AS line_entry_number, l.direction AS line_direction,
               l.gate AS line_gate, l.device AS line_device, l.recorded_at AS line_recorded_at
        FROM scanned t
        JOIN about b USING (event_id, session_id, sold_in, ticket_type_id, price_category_id)
        LEFT JOIN LATERAL (
            SELECT a.entry_number, array_agg(a.direction) AS directions,
                   min(a.gate) FILTER (WHERE a.direction = 'in') AS entry_gate,
                   min(a.device) FILTER (WHERE a.direction = 'in') AS entry_device,
                   min(a.recorded_at) AS entered_at
            FROM admissions a WHERE a.organization_id = $1 AND a.unit_id = t.unit_id
            GROUP BY a.entry_number ORDER BY a.entry_number DESC LIMIT 1
        ) AS latest ON true
        LEFT JOIN LATERAL (
            SELECT * FROM admissions a WHERE a.organization_id = $1 AND a.scan_id = t.scan_id OFFSET 0
        ) AS l ON true
        """,
        organization_id,
        [one.place for one in wanted],
        [one.ticket_id for one in wanted],
        [one.scan_id for one in wanted],
    )
    return {row["place"]: AtTheDoor(_door_ticket(row), _line(row), row["now"]) for row in rows}


def _line(row: Record) -> ScanLine | None:
    if row["line_ticket_id"] is None:
        return None
    direction = Direction(row["line_direction"])
    admission = Admission(
        entry_number=row["line_entry_number"],
        directions=frozenset({direction}),
        gate=row["line_gate"],
        device=row["line_device"],
        recorded_at=row["line_recorded_at"],
    )
    return ScanLine(row["line_ticket_id"], direction, admission)


def _door_ticket(row: Record) -> DoorTicket:
    latest = None
    if row["entry_number"] is not None:
        latest = Admission(
            entry_number=row["entry_number"],
            directions=frozenset(Direction(direction) for direction in row["directions"]),
            gate=row["entry_gate"],
            device=row["entry_device"],
            recorded_at=row["entered_at"],
        )
    return DoorTicket(
        ticket_id=row["ticket_id"],
        event_id=row["event_id"],
        session_id=row["session_id"],
        order_id=row["order_id"],
        unit_id=row["unit_id"],
        generation=row["generation"],
        status=TicketStatus(row["status"]),
        event_name=row["event_name"],
        session_name=row["session_name"],
        starts_at=row["starts_at"],
        ticket_type=row["ticket_type"],
        price_category=row["price_category"],
        area=row["area"],
        seat=row["seat_label"],
        entry_from=row["entry_from"],
        entry_until=row["entry_until"],
        gates=tuple(row["gates"]),
        latest=latest,
    )
