"""Reading what the door needs of tickets, of many in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fullhouse.admission.rules import Admission, Direction, DoorTicket, Scan
from fullhouse.infra.postgres import Connection, Record
from fullhouse.tickets.rules import TicketStatus


class ScanLine(NamedTuple):
    """The line of the log that a scan wrote."""

    ticket_id: UUID
    direction: Direction
    admission: Admission


@dataclass(slots=True)
class AtTheDoor:
    """Tickets by id, the lines that scans wrote by scan id, and the database's time; None where no ticket was found."""

    tickets: dict[UUID, DoorTicket]
    lines: dict[str, ScanLine]
    now: datetime | None

    def remember(self, ticket: DoorTicket, scan: Scan, admission: Admission) -> None:
        """Note a line that was written since: the other tickets of the unit see its entry too."""
        before = ticket.latest
        latest = admission
        if scan.direction is Direction.OUT and before is not None:
            latest = replace(before, directions=before.directions | {Direction.OUT})
        for ticket_id, one in self.tickets.items():
            if one.unit_id == ticket.unit_id:
                self.tickets[ticket_id] = replace(one, latest=latest)
        if scan.scan_id is not None:
            self.lines[scan.scan_id] = ScanLine(ticket.ticket_id, scan.direction, admission)


async def load_at_the_door(
    conn: Connection, organization_id: UUID, ticket_ids: Sequence[UUID], scan_ids: Sequence[str]
) -> AtTheDoor:
    """Load tickets, each with the latest entry of its unit, and the lines that scans wrote."""
    rows = await conn.fetch(
        """
        SELECT t.ticket_id, t.event_id, t.session_id, t.order_id, t.unit_id, t.generation, t.status,
               e.name AS event_name, s.name AS session_name, s.starts_at, s.entry_from, s.entry_until, s.gates,
               coalesce(y.name, '') AS ticket_type, coalesce(c.name, '') AS price_category, u.area, u.seat_label,
               latest.*, clock_timestamp() AS now
        FROM unnest($2::uuid[]) AS asked(ticket_id)
        JOIN tickets t ON t.organization_id = $1 AND t.ticket_id = asked.ticket_id
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
        """,
        organization_id,
        ticket_ids,
    )
    tickets = {row["ticket_id"]: _door_ticket(row) for row in rows}
    # After the tickets, so that a scan whose ticket looks admitted by itself is known.
    lines = await _find_scans(conn, organization_id, scan_ids) if scan_ids else {}
    return AtTheDoor(tickets, lines, rows[0]["now"] if rows else None)


async def _find_scans(conn: Connection, organization_id: UUID, scan_ids: Sequence[str]) -> dict[str, ScanLine]:
    rows = await conn.fetch(
        """
        SELECT a.scan_id, a.ticket_id, a.entry_number, a.direction, a.gate, a.device, a.recorded_at
        FROM unnest($2::text[]) AS asked(scan_id)
        JOIN admissions a ON a.organization_id = $1 AND a.scan_id = asked.scan_id
        """,
        organization_id,
        scan_ids,
    )
    return {row["scan_id"]: _scan_line(row) for row in rows}


def _scan_line(row: Record) -> ScanLine:
    direction = Direction(row["direction"])
    admission = Admission(row["entry_number"], frozenset({direction}), row["gate"], row["device"], row["recorded_at"])
    return ScanLine(row["ticket_id"], direction, admission)


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
