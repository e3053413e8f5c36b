"""Writing the log of the door. Lines are only ever added."""

from datetime import datetime
from uuid import UUID

from fullhouse.admission.rules import Direction, DoorTicket, Scan
from fullhouse.infra.postgres import Connection


async def insert_admission(
    conn: Connection, admission_id: UUID, scan: Scan, ticket: DoorTicket, entry_number: int
) -> datetime | None:
    """Add a line, and return when. None: the entry, or the scan, has one already, or the ticket is void by now.

    ``admissions_entry`` decides between scanners that read the same log.
    """
    recorded_at: datetime | None = await conn.fetchval(
        """
        INSERT INTO admissions (organization_id, admission_id, session_id, unit_id, ticket_id, entry_number, direction,
                                gate, device, scan_id, actor_id)
        SELECT t.organization_id, $2, t.session_id, t.unit_id, t.ticket_id, $4, $5, $6, $7, $8, $9
        FROM tickets t
        WHERE t.organization_id = $1 AND t.ticket_id = $3 AND (t.status = 'valid' OR $5 <> 'in')
        ON CONFLICT DO NOTHING RETURNING recorded_at
        """,
        scan.organization_id,
        admission_id,
        ticket.ticket_id,
        entry_number,
        Direction(scan.direction).value,
        scan.gate,
        scan.device,
        scan.scan_id or str(admission_id),
        scan.actor_id,
    )
    return recorded_at
