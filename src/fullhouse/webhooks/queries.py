"""Reading endpoints, deliveries and their attempts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record
from fullhouse.webhooks.rules import Delivery, DeliveryStatus, DisabledReason, Endpoint, EndpointStatus


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of the log of a delivery."""

    attempted_at: datetime
    status_code: int | None
    trouble: str | None
    excerpt: str
    duration_seconds: float


async def load_endpoint(conn: Connection, organization_id: UUID, endpoint_id: UUID) -> Endpoint | None:
    """Load an endpoint, or None."""
    row = await conn.fetchrow(
        """
        SELECT organization_id, endpoint_id, url, description, types, status, disabled_reason, disabled_at,
               secret_number, previous_secret_until, failure_count, last_delivered_at, created_at
        FROM webhook_endpoints WHERE organization_id = $1 AND endpoint_id = $2
        """,
        organization_id,
        endpoint_id,
    )
    return None if row is None else endpoint_of(row)


async def organizations_with_endpoints(conn: Connection, organization_ids: Collection[UUID]) -> frozenset[UUID]:
    """Return which of these organizations have an endpoint, whatever has become of it."""
    rows = await conn.fetch(
        "SELECT DISTINCT organization_id FROM webhook_endpoints WHERE organization_id = ANY($1::uuid[])",
        list(organization_ids),
    )
    return frozenset(row["organization_id"] for row in rows)


async def list_endpoints(
    conn: Connection, organization_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[Endpoint]:
    """List an organization's endpoints, oldest first, those after an id."""
    rows = await conn.fetch(
        """
        SELECT organization_id, endpoint_id, url, description, types, status, disabled_reason, disabled_at,
               secret_number, previous_secret_until, failure_count, last_delivered_at, created_at
        FROM webhook_endpoints WHERE organization_id = $1 AND ($2::uuid IS NULL OR endpoint_id > $2)
        ORDER BY endpoint_id LIMIT $3
        """,
        organization_id,
        after,
        limit,
    )
    return [endpoint_of(row) for row in rows]


async def count_endpoints(conn: Connection, organization_id: UUID) -> int:
    """Count an organization's endpoints; right only while others are kept from making some."""
    count: int = await conn.fetchval(
        "SELECT count(*) FROM webhook_endpoints WHERE organization_id = $1", organization_id
    )
    return count


async def list_deliveries(
    conn: Connection,
    organization_id: UUID,
    endpoint_id: UUID,
    *,
    status: DeliveryStatus | None,
    before: UUID | None,
    limit: int,
) -> Sequence[Delivery]:
    """List the deliveries of an endpoint, the newest first, those before an id, of every status or one."""
    rows = await conn.fetch(
        """
        SELECT d.delivery_id, d.message_id, d.type, d.is_test, d.status, d.attempts, d.created_at, d.ended_at,
               CASE WHEN d.lease_token IS NULL THEN d.due_at END AS due_at,
               a.status_code AS last_status_code, a.trouble AS last_trouble, a.attempted_at AS last_attempted_at
        FROM webhook_deliveries d
        LEFT JOIN LATERAL (
            SELECT status_code, trouble, attempted_at FROM webhook_attempts t
            WHERE t.organization_id = d.organization_id AND t.delivery_id = d.delivery_id
            ORDER BY t.attempt_id DESC LIMIT 1
        ) AS a ON true
        WHERE d.organization_id = $1 AND d.endpoint_id = $2 AND ($3::text IS NULL OR d.status = $3)
          AND ($4::uuid IS NULL OR d.delivery_id < $4)
        ORDER BY d.delivery_id DESC LIMIT $5
        """,
        organization_id,
        endpoint_id,
        status.value if status else None,
        before,
        limit,
    )
    return [_delivery(row) for row in rows]


async def load_delivery(
    conn: Connection, organization_id: UUID, endpoint_id: UUID, delivery_id: UUID
) -> tuple[Delivery, str] | None:
    """Load a delivery and its body, or None."""
    row = await conn.fetchrow(
        """
        SELECT d.delivery_id, d.message_id, d.type, d.is_test, d.status, d.attempts, d.created_at, d.ended_at, d.body,
               CASE WHEN d.lease_token IS NULL THEN d.due_at END AS due_at,
               a.status_code AS last_status_code, a.trouble AS last_trouble, a.attempted_at AS last_attempted_at
        FROM webhook_deliveries d
        LEFT JOIN LATERAL (
            SELECT status_code, trouble, attempted_at FROM webhook_attempts t
            WHERE t.organization_id = d.organization_id AND t.delivery_id = d.delivery_id
            ORDER BY t.attempt_id DESC LIMIT 1
        ) AS a ON true
        WHERE d.organization_id = $1 AND d.endpoint_id = $2 AND d.delivery_id = $3
        """,
        organization_id,
        endpoint_id,
        delivery_id,
    )
    return None if row is None else (_delivery(row), row["body"])


async def load_attempts(conn: Connection, organization_id: UUID, delivery_id: UUID, count_max: int) -> list[Attempt]:
    """Load the latest attempts of a delivery, the newest first."""
    rows = await conn.fetch(
        """
        SELECT attempted_at, status_code, trouble, excerpt, duration_seconds
        FROM webhook_attempts WHERE organization_id = $1 AND delivery_id = $2
        ORDER BY attempt_id DESC LIMIT $3
        """,
        organization_id,
        delivery_id,
        count_max,
    )
    return [Attempt(**dict(row)) for row in rows]


def endpoint_of(row: Record) -> Endpoint:
    """Make an endpoint of its row."""
    fields: dict[str, Any] = dict(row)
    reason = row["disabled_reason"]
    fields["types"] = tuple(row["types"])
    fields["status"] = EndpointStatus(row["status"])
    fields["disabled_reason"] = DisabledReason(reason) if reason else None
    return Endpoint(**fields)


def _delivery(row: Record) -> Delivery:
    fields: dict[str, Any] = {name: value for name, value in row.items() if name != "body"}
    fields["status"] = DeliveryStatus(row["status"])
    return Delivery(**fields)
