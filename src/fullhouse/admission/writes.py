"""Writing the log of the door. Lines are only ever added."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fullhouse.admission.rules import DoorTicket, Scan
from fullhouse.core.ids import MakeId
from fullhouse.infra.audit_batch import Deeds, with_deeds, write_with_deeds
from fullhouse.infra.postgres import Connection


class NewAdmission(NamedTuple):
    """A line to add."""

    admission_id: UUID
    scan: Scan
    ticket: DoorTicket
    entry_number: int
    recorded_at: datetime


async def insert_admissions(
    conn: Connection, make_id: MakeId, organization_id: UUID, lines: Sequence[NewAdmission], deeds: Deeds
) -> frozenset[UUID]:
    """Add lines of different units, and what needs them to be there; return the ids of those that were added.

    One is missing if its entry, or its scan, has a line already, or if its ticket is void by now. ``admissions_entry``
    decides between scanners that read the same log. Units in order: of two batches that meet, one waits.
    """
    return await write_with_deeds(
        conn,
        make_id,
        organization_id,
        deeds,
        _INSERT,
        [line.admission_id for line in lines],
        [line.ticket.ticket_id for line in lines],
        [line.entry_number for line in lines],
        [line.scan.direction.value for line in lines],
        [line.scan.gate for line in lines],
        [line.scan.device for line in lines],
        [line.scan.scan_id for line in lines],
        [line.scan.actor_id for line in lines],
        [line.recorded_at for line in lines],
    )


_INSERT = with_deeds("""
    INSERT INTO admissions (organization_id, admission_id, session_id, unit_id, ticket_id, entry_number, direction,
                            gate, device, scan_id, actor_id, recorded_at)
    SELECT t.organization_id, l.admission_id, t.session_id, t.unit_id, t.ticket_id, l.entry_number, l.direction,
           l.gate, l.device, coalesce(l.scan_id, l.admission_id::text), l.actor_id, l.recorded_at
    FROM unnest($22::uuid[], $23::uuid[], $24::smallint[], $25::text[], $26::text[], $27::text[], $28::text[],
                $29::uuid[], $30::timestamptz[])
        AS l(admission_id, ticket_id, entry_number, direction, gate, device, scan_id, actor_id, recorded_at)
    CROSS JOIN LATERAL (
        SELECT * FROM tickets WHERE organization_id = $1 AND ticket_id = l.ticket_id
            AND (status = 'valid' OR l.direction <> 'in') OFFSET 0
    ) AS t
    ORDER BY t.unit_id
    ON CONFLICT DO NOTHING RETURNING admission_id AS id
    """)
