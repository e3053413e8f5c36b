"""Reading the audit log, the newest entries first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fullhouse.infra.postgres import Connection


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries; None asks for all."""

    actor_id: UUID | None = None
    action: str | None = None
    thing_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: tuple[datetime, int] | None = None
    """Instant and position of the last entry of the page before."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry, with its place in the chain once it has one, and its origin until that is erased."""

    position: int
    actor_kind: str
    actor_id: UUID | None
    actor_label: str
    action: str
    thing_kind: str
    thing_id: UUID
    request_id: str | None
    details: dict[str, Any]
    occurred_at: datetime
    address: str | None
    user_agent: str | None
    number: int | None
    hash: bytes | None


async def list_audit_entries(
    conn: Connection, organization_id: UUID, wanted: AuditFilter, limit: int
) -> Sequence[AuditEntry]:
    """List an organization's entries, the newest first."""
    before_at, before_position = wanted.before or (None, None)
    rows = await conn.fetch(
        """
        SELECT e.position, e.actor_kind, e.actor_id, e.actor_label, e.action, e.thing_kind, e.thing_id, e.request_id,
               e.details, e.occurred_at, o.address, o.user_agent, l.number, l.hash
        FROM audit_entries e
        LEFT JOIN audit_origins o USING (organization_id, position)
        LEFT JOIN audit_links l USING (organization_id, position)
        WHERE e.organization_id = $1
          AND ($2::uuid IS NULL OR e.actor_id = $2)
          AND ($3::text IS NULL OR e.action = $3)
          AND ($4::uuid IS NULL OR e.thing_id = $4)
          AND ($5::timestamptz IS NULL OR e.occurred_at >= $5)
          AND ($6::timestamptz IS NULL OR e.occurred_at < $6)
          AND ($7::timestamptz IS NULL OR (e.occurred_at, e.position) < ($7, $8::bigint))
        ORDER BY e.occurred_at DESC, e.position DESC LIMIT $9
        """,
        organization_id,
        wanted.actor_id,
        wanted.action,
        wanted.thing_id,
        wanted.since,
        wanted.until,
        before_at,
        before_position,
        limit,
    )
    return [AuditEntry(**row) for row in rows]
