"""Depths of queues that only a broker knows, noted in the database so that metrics and checks need no broker.

Every worker measures, since of some brokers each knows a part: with RabbitMQ, how old the oldest message is, and how
many are being worked on, is known to the process that has them. What is newest and most counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from fullhouse.infra.brokers.port import QueueDepth
from fullhouse.infra.postgres import Connection

MEASURE_SECONDS = 15.0
"""How often a worker measures."""

FRESH_SECONDS = 4 * MEASURE_SECONDS
"""What is older than this tells nothing of the present."""

_KEPT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class NotedDepth:
    """What the workers know of a queue, and when one of them last looked."""

    queue: str
    count: int
    oldest_seconds: float | None
    measured_seconds: float
    """How long ago."""


async def note_depths(conn: Connection, measured_by: UUID, broker: str, depths: Sequence[QueueDepth]) -> None:
    """Write down what one process measured, and forget what processes said that have long been silent."""
    await conn.execute(
        """
        WITH gone AS (
            DELETE FROM queue_depths WHERE measured_at < clock_timestamp() - make_interval(secs => $6)
        )
        INSERT INTO queue_depths (queue, measured_by, broker, waiting_count, oldest_seconds)
        SELECT m.queue, $1, $2, least(m.count, 2147483647), m.oldest_seconds
        FROM unnest($3::text[], $4::bigint[], $5::float8[]) AS m(queue, count, oldest_seconds)
        ON CONFLICT ON CONSTRAINT queue_depths_pkey DO UPDATE
        SET broker = excluded.broker, waiting_count = excluded.waiting_count, oldest_seconds = excluded.oldest_seconds,
            measured_at = clock_timestamp()
        """,
        measured_by,
        broker,
        [depth.queue for depth in depths],
        [depth.count for depth in depths],
        [depth.oldest_seconds for depth in depths],
        _KEPT_SECONDS,
    )


async def load_depths(conn: Connection) -> list[NotedDepth]:
    """Return each queue that a worker measured of late; the last known where nobody has looked for a while."""
    rows = await conn.fetch(
        """
        SELECT d.queue, max(d.waiting_count) AS count, max(d.oldest_seconds) AS oldest_seconds,
               extract(epoch FROM clock_timestamp() - max(d.measured_at))::float8 AS measured_seconds
        FROM queue_depths d JOIN (
            SELECT queue, max(measured_at) AS newest_at FROM queue_depths GROUP BY queue
        ) AS n ON n.queue = d.queue AND d.measured_at > n.newest_at - make_interval(secs => $1)
        GROUP BY d.queue ORDER BY d.queue
        """,
        FRESH_SECONDS,
    )
    return [NotedDepth(**row) for row in rows]
