"""Writing endpoints, deliveries and attempts. Whoever locks both locks the endpoint before its deliveries."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.webhooks.queries import endpoint_of
from fullhouse.webhooks.rules import Chosen, Decision, DisabledReason, Endpoint, EndpointFields, Outcome, Standing

CLAIM_LOCK = 0x576562686F6F6B73
"""The advisory lock under which deliveries are claimed ("Webhooks"): so the limit of an endpoint holds for all."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process alone may send, until its lease ends."""

    organization_id: UUID
    endpoint_id: UUID
    delivery_id: UUID
    message_id: UUID
    body: str
    url: str
    secret_number: int
    both_secrets: bool
    """Whether the secret before the present one signs too."""


Entry = tuple[int, UUID, UUID, bool]
"""A delivery to enter: the number of its message, from 1; the endpoint; its own id; whether it is to be sent."""


async def lock_endpoints(conn: Connection, organization_id: UUID) -> None:
    """Keep others from making endpoints in this organization until the transaction ends."""
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('webhook_endpoints ' || $1::text, 0))", str(organization_id)
    )


async def insert_endpoint(
    conn: Connection, organization_id: UUID, endpoint_id: UUID, fields: EndpointFields
) -> Endpoint:
    """Enter an endpoint."""
    row = await conn.fetchrow(
        """
        INSERT INTO webhook_endpoints (organization_id, endpoint_id, url, description, types)
        VALUES ($1, $2, $3, $4, $5)
        RETURNING organization_id, endpoint_id, url, description, types, status, disabled_reason, disabled_at,
                  secret_number, previous_secret_until, failure_count, last_delivered_at, created_at
        """,
        organization_id,
        endpoint_id,
        fields.url,
        fields.description,
        list(fields.types),
    )
    assert row is not None  # noqa: S101 (an INSERT returns its row)
    return endpoint_of(row)


async def lock_endpoint(conn: Connection, organization_id: UUID, endpoint_id: UUID) -> Endpoint | None:
    """Load an endpoint and keep others from changing it until the transaction ends."""
    row = await conn.fetchrow(
        """
        SELECT organization_id, endpoint_id, url, description, types, status, disabled_reason, disabled_at,
               secret_number, previous_secret_until, failure_count, last_delivered_at, created_at
        FROM webhook_endpoints WHERE organization_id = $1 AND endpoint_id = $2 FOR NO KEY UPDATE
        """,
        organization_id,
        endpoint_id,
    )
    return None if row is None else endpoint_of(row)


async def change_endpoint(conn: Connection, organization_id: UUID, endpoint_id: UUID, fields: EndpointFields) -> None:
    """Write what the owner decides."""
    await conn.execute(
        """
        UPDATE webhook_endpoints SET url = $3, description = $4, types = $5, updated_at = clock_timestamp()
        WHERE organization_id = $1 AND endpoint_id = $2
        """,
        organization_id,
        endpoint_id,
        fields.url,
        fields.description,
        list(fields.types),
    )


async def enable_endpoint(conn: Connection, organization_id: UUID, endpoint_id: UUID) -> None:
    """Send to it again, with a clean record."""
    await conn.execute(
        """
        UPDATE webhook_endpoints
        SET status = 'enabled', disabled_reason = NULL, disabled_at = NULL, failure_count = 0,
            updated_at = clock_timestamp()
        WHERE organization_id = $1 AND endpoint_id = $2 AND status = 'disabled'
        """,
        organization_id,
        endpoint_id,
    )


async def disable_endpoint(conn: Connection, organization_id: UUID, endpoint_id: UUID, reason: DisabledReason) -> None:
    """Stop sending to it; what waited has failed, and can be replayed. What is on its way still says how it ended."""
    await conn.execute(
        """
        UPDATE webhook_endpoints
        SET status = 'disabled', disabled_reason = $3, disabled_at = clock_timestamp(), updated_at = clock_timestamp()
        WHERE organization_id = $1 AND endpoint_id = $2 AND status = 'enabled'
        """,
        organization_id,
        endpoint_id,
        reason.value,
    )
    await conn.execute(
        """
        UPDATE webhook_deliveries SET status = 'failed', due_at = NULL, ended_at = clock_timestamp()
        WHERE organization_id = $1 AND endpoint_id = $2 AND status = 'pending'
        """,
        organization_id,
        endpoint_id,
    )


async def delete_endpoint(conn: Connection, organization_id: UUID, endpoint_id: UUID) -> bool:
    """Delete an endpoint with its log. False where the organization has none such."""
    tag = await conn.execute(
        "DELETE FROM webhook_endpoints WHERE organization_id = $1 AND endpoint_id = $2", organization_id, endpoint_id
    )
    return tag == "DELETE 1"


async def raise_secret_number(conn: Connection, organization_id: UUID, endpoint_id: UUID, overlap_seconds: int) -> None:
    """Go over to the next secret; the present one signs too while the overlap lasts."""
    await conn.execute(
        """
        UPDATE webhook_endpoints
        SET secret_number = secret_number + 1, updated_at = clock_timestamp(),
            previous_secret_until = clock_timestamp() + make_interval(secs => $3)
        WHERE organization_id = $1 AND endpoint_id = $2
        """,
        organization_id,
        endpoint_id,
        overlap_seconds,
    )


async def lock_choosing(conn: Connection, organization_id: UUID, types: Collection[str]) -> list[Chosen]:
    """Return the endpoints that chose any of the types, as they stay until the caller's transaction ends.

    The lock waits for who is about to disable or delete one: a delivery that such a transaction did not see would wait
    for ever.
    """
    rows = await conn.fetch(
        """
        SELECT endpoint_id, status, types FROM webhook_endpoints
        WHERE organization_id = $1 AND types && $2::text[] ORDER BY endpoint_id FOR SHARE
        """,
        organization_id,
        list(types),
    )
    return [Chosen(row["endpoint_id"], row["status"] == "enabled", frozenset(row["types"])) for row in rows]


async def insert_deliveries(
    conn: Connection, organization_id: UUID, bodies: Sequence[tuple[UUID, str, str]], entries: Sequence[Entry]
) -> int:
    """Enter deliveries, each once; return how many are new. A body comes with the id and the type of its message.

    What a disabled endpoint misses is entered as failed, so that it can be replayed.
    """
    tag = await conn.execute(
        """
        INSERT INTO webhook_deliveries (organization_id, endpoint_id, delivery_id, message_id, type, body, status,
                                        due_at, ended_at)
        SELECT $1, e.endpoint_id, e.delivery_id, m.message_id, m.type, m.body,
               CASE WHEN e.is_enabled THEN 'pending' ELSE 'failed' END,
               CASE WHEN e.is_enabled THEN clock_timestamp() END,
               CASE WHEN e.is_enabled THEN NULL ELSE clock_timestamp() END
        FROM unnest($2::uuid[], $3::text[], $4::text[]) WITH ORDINALITY AS m(message_id, type, body, number)
        JOIN unnest($5::bigint[], $6::uuid[], $7::uuid[], $8::boolean[])
            AS e(number, endpoint_id, delivery_id, is_enabled) USING (number)
        ORDER BY m.message_id, e.endpoint_id
        ON CONFLICT ON CONSTRAINT webhook_deliveries_once DO NOTHING
        """,
        organization_id,
        *_columns(bodies, 3),
        *_columns(entries, 4),
    )
    return int(tag.rpartition(" ")[2])


def _columns(rows: Sequence[tuple[object, ...]], count: int) -> list[list[object]]:
    return [[row[number] for row in rows] for number in range(count)]


async def insert_test(
    conn: Connection, organization_id: UUID, endpoint_id: UUID, delivery_id: UUID, *, type_: str, body: str
) -> None:
    """Enter a delivery of a test message, whose id is that of the delivery."""
    await conn.execute(
        """
        INSERT INTO webhook_deliveries (organization_id, endpoint_id, delivery_id, message_id, type, body, is_test,
                                        due_at)
        VALUES ($1, $2, $3, $3, $4, $5, true, clock_timestamp())
        """,
        organization_id,
        endpoint_id,
        delivery_id,
        type_,
        body,
    )


async def claim_deliveries(
    conn: Connection, token: UUID, *, count_max: int, per_endpoint_max: int, lease_seconds: float
) -> list[Claimed]:
    """Lease what is due, healthy receivers first; one that fails gets a single attempt at a time.

    Only right under ``CLAIM_LOCK``, taken here; nothing while another process claims.
    """
    if not await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", CLAIM_LOCK):
        return []
    rows = await conn.fetch(
        """
        WITH receivers AS (
            SELECT e.organization_id, e.endpoint_id, e.failure_count > 0 AS fails,
                   CASE WHEN e.failure_count > 0 THEN 1 ELSE $3::int END - (
                       SELECT count(*) FROM webhook_deliveries f
                       WHERE f.organization_id = e.organization_id AND f.endpoint_id = e.endpoint_id
                         AND f.status = 'pending' AND f.lease_token IS NOT NULL AND f.due_at > clock_timestamp()
                   ) AS free
            FROM webhook_endpoints e WHERE e.status = 'enabled'
        ), picked AS (
            SELECT due.organization_id, due.delivery_id
            FROM receivers r CROSS JOIN LATERAL (
                SELECT d.organization_id, d.delivery_id, d.due_at FROM webhook_deliveries d
                WHERE d.organization_id = r.organization_id AND d.endpoint_id = r.endpoint_id
                  AND d.status = 'pending' AND d.due_at <= clock_timestamp()
                ORDER BY d.due_at LIMIT greatest(r.free, 0)
            ) AS due
            ORDER BY r.fails, due.due_at LIMIT $2
        )
        UPDATE webhook_deliveries d
        SET lease_token = $1, due_at = clock_timestamp() + make_interval(secs => $4)
        FROM picked p, webhook_endpoints e
        WHERE d.organization_id = p.organization_id AND d.delivery_id = p.delivery_id
          AND e.organization_id = d.organization_id AND e.endpoint_id = d.endpoint_id
          AND d.status = 'pending' AND d.due_at <= clock_timestamp()
        RETURNING d.organization_id, d.endpoint_id, d.delivery_id, d.message_id, d.body, e.url, e.secret_number,
                  coalesce(e.previous_secret_until > clock_timestamp(), false) AS both_secrets
        """,
        token,
        count_max,
        per_endpoint_max,
        lease_seconds,
    )
    return [Claimed(**dict(row)) for row in rows]


async def lock_claimed(conn: Connection, claimed: Claimed, token: UUID) -> Standing | None:
    """Lock a delivery that was sent, after its endpoint, and return where both stand. None: the lease was lost."""
    endpoint = await lock_endpoint(conn, claimed.organization_id, claimed.endpoint_id)
    row = await conn.fetchrow(
        """
        SELECT attempts, is_test, started_at FROM webhook_deliveries
        WHERE organization_id = $1 AND delivery_id = $2 AND lease_token = $3 FOR NO KEY UPDATE
        """,
        claimed.organization_id,
        claimed.delivery_id,
        token,
    )
    if endpoint is None or row is None:
        return None
    arrived: datetime | None = endpoint.last_delivered_at
    return Standing(
        attempts=row["attempts"],
        is_test=row["is_test"],
        endpoint_enabled=endpoint.disabled_at is None,
        others_arrived=arrived is not None and arrived > row["started_at"],
    )


async def end_attempt(
    conn: Connection, claimed: Claimed, attempt_id: UUID, outcome: Outcome, decision: Decision
) -> None:
    """Enter an attempt in the log, and write what it leads to for its delivery."""
    await conn.execute(
        """
        INSERT INTO webhook_attempts (organization_id, delivery_id, attempt_id, status_code, trouble, excerpt,
                                      duration_seconds)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        claimed.organization_id,
        claimed.delivery_id,
        attempt_id,
        outcome.status_code,
        outcome.trouble.value if outcome.trouble else None,
        outcome.excerpt,
        outcome.duration_seconds,
    )
    await conn.execute(
        """
        UPDATE webhook_deliveries
        SET status = $3, attempts = attempts + 1, lease_token = NULL,
            due_at = clock_timestamp() + make_interval(secs => $4),
            ended_at = CASE WHEN $4::float8 IS NULL THEN clock_timestamp() END
        WHERE organization_id = $1 AND delivery_id = $2
        """,
        claimed.organization_id,
        claimed.delivery_id,
        decision.status.value,
        decision.retry_seconds,
    )


async def note_outcome(conn: Connection, organization_id: UUID, endpoint_id: UUID, *, is_success: bool) -> None:
    """Count failures in a row, and remember when something arrived, at most once a minute while all is well."""
    if is_success:
        await conn.execute(
            """
            UPDATE webhook_endpoints SET failure_count = 0, last_delivered_at = clock_timestamp()
            WHERE organization_id = $1 AND endpoint_id = $2
              AND (failure_count > 0 OR last_delivered_at IS NULL
                   OR last_delivered_at < clock_timestamp() - interval '60 seconds')
            """,
            organization_id,
            endpoint_id,
        )
        return
    await conn.execute(
        """
        UPDATE webhook_endpoints SET failure_count = least(failure_count + 1, 1000000)
        WHERE organization_id = $1 AND endpoint_id = $2
        """,
        organization_id,
        endpoint_id,
    )


async def restart_delivery(conn: Connection, organization_id: UUID, endpoint_id: UUID, delivery_id: UUID) -> bool:
    """Send a delivery again from now on, whatever became of it. False where there is none such."""
    tag = await conn.execute(
        """
        UPDATE webhook_deliveries
        SET status = 'pending', attempts = 0, due_at = clock_timestamp(), started_at = clock_timestamp(),
            ended_at = NULL, lease_token = NULL
        WHERE organization_id = $1 AND endpoint_id = $2 AND delivery_id = $3
        """,
        organization_id,
        endpoint_id,
        delivery_id,
    )
    return tag == "UPDATE 1"


async def restart_failed(
    conn: Connection, organization_id: UUID, endpoint_id: UUID, since: datetime, count_max: int
) -> int:
    """Send again what failed of the messages entered since an instant, the oldest first; return how many."""
    tag = await conn.execute(
        """
        UPDATE webhook_deliveries
        SET status = 'pending', attempts = 0, due_at = clock_timestamp(), started_at = clock_timestamp(),
            ended_at = NULL, lease_token = NULL
        WHERE (organization_id, delivery_id) IN (
            SELECT organization_id, delivery_id FROM webhook_deliveries
            WHERE organization_id = $1 AND endpoint_id = $2 AND status = 'failed' AND created_at >= $3
              AND NOT is_test
            ORDER BY created_at LIMIT $4
        )
        """,
        organization_id,
        endpoint_id,
        since,
        count_max,
    )
    return int(tag.rpartition(" ")[2])


async def delete_old_deliveries(conn: Connection, days: int, count_max: int) -> int:
    """Delete deliveries, with their attempts, that ended long ago; return how many."""
    tag = await conn.execute(
        """
        WITH old AS MATERIALIZED (
            SELECT organization_id, delivery_id FROM webhook_deliveries
            WHERE ended_at < clock_timestamp() - make_interval(days => $1) LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        DELETE FROM webhook_deliveries t USING old
        WHERE t.organization_id = old.organization_id AND t.delivery_id = old.delivery_id
        """,
        days,
        count_max,
    )
    return int(tag.rpartition(" ")[2])
