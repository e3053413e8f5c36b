"""Writing the log of the door. Lines are only ever added."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fullhouse.admission.rules import DoorTicket, Scan
from fullhouse.infra.postgres import Connection


class NewAdmission(NamedTuple):
    """A line to add."""

    admission_id: UUID
    scan: Scan
    ticket: DoorTicket
    entry_number: int


async def insert_admissions(
    conn: Connection, organization_id: UUID, lines: Sequence[NewAdmission]
) -> dict[UUID, datetime]:
    """Add lines of different units, and return when, by admission id.

    One is missing if its entry, or its scan, has a line already, or if its ticket is void by now. ``admissions_entry``
    decides between scanners that read the same log. Units in order: of two batches that meet, one waits.
    """
    rows = await conn.fetch(
        """
        INSERT INTO admissions (organization_id, admission_id, session_id, unit_id, ticket_id, entry_number, direction,
                                gate, device, scan_id, actor_id)
        SELECT t.organization_id, l.admission_id, t.session_id, t.unit_id, t.ticket_id, l.entry_number, l.direction,
               l.gate, l.device, coalesce(l.scan_id, l.admission_id::text), l.actor_id
        FROM unnest($2::uuid[], $3::uuid[], $4::smallint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::uuid[])
            AS l(admission_id, ticket_id, entry_number, direction, gate, device, scan_id, actor_id)
        JOIN tickets t ON t.organization_id = $1 AND t.ticket_id = l.ticket_id
            AND (t.status = 'valid' OR l.direction <> 'in')
        ORDER BY t.unit_id
        ON CONFLICT DO NOTHING RETURNING admission_id, recorded_at
        """,
        organization_id,
        [line.admission_id for line in lines],
        [line.ticket.ticket_id for line in lines],
        [line.entry_number for line in lines],
        [line.scan.direction.value for line in lines],
        [line.scan.gate for line in lines],
        [line.scan.device for line in lines],
        [line.scan.scan_id for line in lines],
        [line.scan.actor_id for line in lines],
    )
    return {row["admission_id"]: row["recorded_at"] for row in rows}
