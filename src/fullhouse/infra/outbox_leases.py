"""What the relay asks of the outbox: leases on partitions of keys, batches to send, and marks of what became of them.

Whoever holds a partition's lease is alone in sending it, so that the messages of a key leave in their order.
Commits of leases and marks do not wait for the disk: a crash of the server that loses one makes a message go twice,
which is allowed, and every relay loses its connection in it.
"""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.core.message import Message
from fullhouse.infra.outbox import PARTITIONS
from fullhouse.infra.postgres import Connection, Record

_SHARE_MIN = 8
"""How many messages a partition gives to a batch at least."""


async def prepare_leases(conn: Connection) -> None:
    """Make the rows of the leases, once for ever."""
    await conn.execute(
        "INSERT INTO outbox_leases (partition) SELECT generate_series(0, $1 - 1) ON CONFLICT DO NOTHING", PARTITIONS
    )


async def take_leases(conn: Connection, token: UUID, *, count_max: int, lease_seconds: float) -> list[int]:
    """Lease partitions that have something to send and that nobody holds."""
    rows = await conn.fetch(
        """
        WITH free AS MATERIALIZED (
            SELECT l.partition FROM outbox_leases l
            WHERE l.leased_until < clock_timestamp()
              AND EXISTS (
                SELECT FROM outbox o
                WHERE o.partition = l.partition AND o.sent_at IS NULL AND o.parked_at IS NULL
                  AND NOT EXISTS (
                    SELECT FROM outbox w
                    WHERE w.partition = o.partition AND w.key = o.key AND w.retry_at > clock_timestamp()
                      AND w.sent_at IS NULL AND w.parked_at IS NULL
                  )
              )
            ORDER BY l.leased_until, l.partition LIMIT $2
            FOR UPDATE SKIP LOCKED
        )
        UPDATE outbox_leases l SET token = $1, leased_until = clock_timestamp() + make_interval(secs => $3)
        FROM free, (SELECT set_config('synchronous_commit', 'off', true)) AS unhurried
        WHERE l.partition = free.partition
        RETURNING l.partition
        """,
        token,
        count_max,
        lease_seconds,
    )
    return [row["partition"] for row in rows]


async def renew_leases(conn: Connection, token: UUID, partitions: Sequence[int], lease_seconds: float) -> list[int]:
    """Prolong leases, and return those that are still ours. One that ran out is not, even if nobody took it."""
    rows = await conn.fetch(
        """
        UPDATE outbox_leases SET leased_until = clock_timestamp() + make_interval(secs => $3)
        FROM (SELECT set_config('synchronous_commit', 'off', true)) AS unhurried
        WHERE partition = ANY($2::smallint[]) AND token = $1 AND leased_until > clock_timestamp()
        RETURNING partition
        """,
        token,
        partitions,
        lease_seconds,
    )
    return [row["partition"] for row in rows]


async def return_leases(conn: Connection, token: UUID) -> None:
    """Give back what this relay holds."""
    await conn.execute(
        """
        UPDATE outbox_leases SET token = NULL, leased_until = '-infinity'
        FROM (SELECT set_config('synchronous_commit', 'off', true)) AS unhurried WHERE token = $1
        """,
        token,
    )


async def load_batch(conn: Connection, partitions: Sequence[int], count_max: int) -> list[Message]:
    """Return messages to send, in the order of each key; those of a key with a message that waits, wait too.

    Every partition gives its share, so that a long one does not keep the others waiting.
    """
    rows = await conn.fetch(
        """
        SELECT b.* FROM unnest($1::smallint[]) AS p(partition) CROSS JOIN LATERAL (
            SELECT o.position, o.organization_id, o.message_id, o.type, o.version, o.key, o.data, o.request_id,
                   o.traceparent,
                   to_char(o.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS occurred_at
            FROM outbox o
            WHERE o.partition = p.partition AND o.sent_at IS NULL AND o.parked_at IS NULL
              AND NOT EXISTS (
                SELECT FROM outbox w
                WHERE w.partition = o.partition AND w.key = o.key AND w.retry_at > clock_timestamp()
                  AND w.sent_at IS NULL AND w.parked_at IS NULL
              )
            ORDER BY o.position LIMIT $2
        ) AS b
        ORDER BY b.position
        """,
        partitions,
        share_of(partitions, count_max),
    )
    return [_message(row) for row in rows]


def share_of(partitions: Sequence[int], count_max: int) -> int:
    """Return how many messages of each partition a batch has at most."""
    return max(_SHARE_MIN, count_max // max(1, len(partitions)))


async def mark_sent(conn: Connection, messages: Sequence[Message]) -> None:
    """Mark what the broker has confirmed. It was sent, whoever holds the lease by now."""
    await conn.execute(
        """
        UPDATE outbox o SET sent_at = clock_timestamp(), retry_at = NULL
        FROM unnest($1::uuid[], $2::uuid[]) AS m(organization_id, message_id),
             (SELECT set_config('synchronous_commit', 'off', true)) AS unhurried
        WHERE o.organization_id = m.organization_id AND o.message_id = m.message_id AND o.sent_at IS NULL
        """,
        [message.organization_id for message in messages],
        [message.message_id for message in messages],
    )


async def mark_refused(
    conn: Connection, message: Message, error: str, *, delay_seconds: float | None, key_waits: bool
) -> None:
    """Count a refusal of one message: it waits for the delay, and with it its key; without a delay it is parked.

    A key that waits for a parked message waits until a person has sent that again, or discarded it.
    """
    await conn.fetchval(
        """
        UPDATE outbox SET attempts = attempts + 1, last_error = $3,
               retry_at = CASE WHEN $4::float8 IS NOT NULL THEN clock_timestamp() + make_interval(secs => $4)
                               WHEN $5 THEN 'infinity'::timestamptz END,
               parked_at = CASE WHEN $4 IS NULL AND NOT $5 THEN clock_timestamp() END
        WHERE organization_id = $1 AND message_id = $2 AND sent_at IS NULL
        """,
        message.organization_id,
        message.message_id,
        error,
        delay_seconds,
        key_waits,
    )


async def refusal_count(conn: Connection, message: Message) -> int:
    """Return how often a message was refused."""
    count: int | None = await conn.fetchval(
        "SELECT attempts FROM outbox WHERE organization_id = $1 AND message_id = $2",
        message.organization_id,
        message.message_id,
    )
    return count or 0


def _message(row: Record) -> Message:
    return Message(**{name: value for name, value in row.items() if name != "position"})
