"""Parked messages: what the relay gave up on, until a person sends it again or discards it.

Where the type says that its key waits, the row's ``retry_at`` is infinity, and later messages of the key wait behind
it; else ``parked_at`` is set, and they go on. Here both look like dead letters of a queue called ``outbox``.
"""

from dataclasses import dataclass
from uuid import UUID

from fullhouse.core.message import Message
from fullhouse.infra.brokers.cloud_events import to_cloud_event
from fullhouse.infra.brokers.dead_letters import DeadLetter, record_resolved
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, Record, connection, transaction

OUTBOX = "outbox"


@dataclass(frozen=True, slots=True)
class OutboxDepth:
    """How much waits to be sent and how long the oldest has; what is parked; and the dead letters beside it."""

    count: int
    oldest_seconds: float
    parked_count: int
    dead_count: int


async def measure_outbox(conn: Connection) -> OutboxDepth:
    """Count what somebody or something has still to deal with."""
    row = await conn.fetchrow(
        """
        WITH unsent AS (
            SELECT occurred_at, parked_at IS NOT NULL OR coalesce(retry_at = 'infinity', false) AS parked
            FROM outbox WHERE sent_at IS NULL
        )
        SELECT count(*) FILTER (WHERE NOT parked) AS count, count(*) FILTER (WHERE parked) AS parked_count,
               coalesce(extract(epoch FROM clock_timestamp() - min(occurred_at) FILTER (WHERE NOT parked)), 0)::float8
                   AS oldest_seconds,
               (SELECT count(*) FROM dead_letters WHERE resolved_at IS NULL) AS dead_count
        FROM unsent
        """
    )
    return OutboxDepth(**row) if row else OutboxDepth(0, 0.0, 0, 0)


async def list_parked(pool: Pool, *, count_max: int = 100) -> list[DeadLetter]:
    """Return what is parked, the newest first."""
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        rows = await conn.fetch(
            """
            SELECT *, coalesce(parked_at, occurred_at) AS failed_at,
                   to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS occurred
            FROM outbox WHERE sent_at IS NULL AND (parked_at IS NOT NULL OR retry_at = 'infinity')
            ORDER BY failed_at DESC, message_id DESC LIMIT $1
            """,
            count_max,
        )
    return [_as_dead_letter(row) for row in rows]


async def find_parked(pool: Pool, message_id: UUID) -> DeadLetter | None:
    """Return one by the id of its message, or None."""
    return next((one for one in await list_parked(pool, count_max=10_000) if one.message_id == message_id), None)


async def replay_parked(pool: Pool, message_id: UUID) -> DeadLetter | None:
    """Let the relay try a parked message again, with fresh tries; None if there is no such one."""
    found = await find_parked(pool, message_id)
    if found is not None:
        async with transaction(pool, found.organization_id) as conn:
            await conn.execute(
                """
                UPDATE outbox SET attempts = 0, parked_at = NULL, retry_at = NULL
                WHERE organization_id = $1 AND message_id = $2 AND sent_at IS NULL
                """,
                found.organization_id,
                message_id,
            )
            await record_resolved(conn, found, "replayed")
    return found


async def discard_parked(pool: Pool, message_id: UUID) -> DeadLetter | None:
    """Move a parked message to the dead letters, discarded, so that its key goes on; None if there is no such one."""
    found = await find_parked(pool, message_id)
    if found is None:
        return None
    async with transaction(pool, found.organization_id) as conn:
        await conn.execute(
            "DELETE FROM outbox WHERE organization_id = $1 AND message_id = $2 AND sent_at IS NULL",
            found.organization_id,
            message_id,
        )
        await conn.execute(
            """
            INSERT INTO dead_letters (organization_id, dead_letter_id, queue, message_id, key, body, reason, attempts,
                                      failed_at, resolved_at, resolution)
            VALUES ($1, $2, $3, $2, $4, $5, $6, $7, $8, clock_timestamp(), 'discarded')
            """,
            found.organization_id,
            message_id,
            OUTBOX,
            found.key,
            found.body,
            found.reason,
            found.attempts,
            found.failed_at,
        )
        await record_resolved(conn, found, "discarded")
    return found


def _as_dead_letter(row: Record) -> DeadLetter:
    names = ("organization_id", "message_id", "type", "version", "key", "data", "request_id")
    message = Message(**{name: row[name] for name in names}, occurred_at=row["occurred"])
    return DeadLetter(
        organization_id=message.organization_id,
        dead_letter_id=message.message_id,
        queue=OUTBOX,
        message_id=message.message_id,
        key=message.key,
        body=to_cloud_event(message),
        reason=row["last_error"] or "",
        attempts=row["attempts"],
        failed_at=row["failed_at"],
        resolved_at=None,
        resolution=None,
    )
