"""Reading what the door needs of a ticket, in one statement."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.admission.rules import Admission, Direction, DoorTicket
from fullhouse.infra.postgres import Connection, Record
from fullhouse.tickets.rules import TicketStatus


@dataclass(frozen=True, slots=True)
class AtTheDoor:
    """A ticket, the database's time, and the line that this scan wrote when it was sent before."""

    ticket: DoorTicket
    now: datetime
    repeated: Record | None


async def load_at_the_door(
    conn: Connection, organization_id: UUID, ticket_id: UUID, scan_id: str | None
) -> AtTheDoor | None:
    """Load a ticket with the latest entry of its unit, or None where the organization has no such ticket."""
    row = await conn.fetchrow(
        """
        SELECT t.ticket_id, t.event_id, t.session_id, t.order_id, t.unit_id, t.generation, t.status,
               e.name AS event_name, s.name AS session_name, s.starts_at, s.entry_from, s.entry_until, s.gates,
               coalesce(y.name, '') AS ticket_type, coalesce(c.name, '') AS price_category, u.area, u.seat_label,
               latest.*, clock_timestamp() AS now
        FROM tickets t
        JOIN units u USING (organization_id, unit_id)
        JOIN sessions s ON s.organization_id = t.organization_id AND s.session_id = t.session_id
        JOIN events e ON e.organization_id = t.organization_id AND e.event_id = t.event_id
        LEFT JOIN ticket_types y ON y.organization_id = u.organization_id AND y.session_id = u.session_id
            AND y.ticket_type_id = u.ticket_type_id
        LEFT JOIN price_categories c ON c.organization_id = u.organization_id AND c.session_id = u.session_id
            AND c.price_category_id = u.price_category_id
        LEFT JOIN LATERAL (
            SELECT a.entry_number, array_agg(a.direction) AS directions,
                   min(a.gate) FILTER (WHERE a.direction = 'in') AS entry_gate,
                   min(a.device) FILTER (WHERE a.direction = 'in') AS entry_device,
                   min(a.recorded_at) AS entered_at
            FROM admissions a WHERE a.organization_id = t.organization_id AND a.unit_id = t.unit_id
            GROUP BY a.entry_number ORDER BY a.entry_number DESC LIMIT 1
        ) AS latest ON true
        WHERE t.organization_id = $1 AND t.ticket_id = $2
        """,
        organization_id,
        ticket_id,
    )
    if row is None:
        return None
    repeated = await find_scan(conn, organization_id, scan_id) if scan_id is not None else None
    return AtTheDoor(_door_ticket(row), row["now"], repeated)


async def find_scan(conn: Connection, organization_id: UUID, scan_id: str) -> Record | None:
    """Find the line of the log that a scan wrote."""
    return await conn.fetchrow(
        """
        SELECT unit_id, ticket_id, entry_number, direction, gate, device, recorded_at
        FROM admissions WHERE organization_id = $1 AND scan_id = $2
        """,
        organization_id,
        scan_id,
    )


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
