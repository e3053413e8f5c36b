"""The broker that needs no server of its own: queues as rows of Postgres, leased with a token, woken by NOTIFY."""

from collections import defaultdict
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import LiteralString
from uuid import UUID

import asyncpg

from fullhouse.core.errors import Unavailable
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.core.message import Message
from fullhouse.infra.brokers.cloud_events import from_cloud_event, to_cloud_event
from fullhouse.infra.brokers.port import Broker, BrokerUnavailable, Delivery, FindUnheard, MessageRefused, QueueDepth
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, Record, connection, transaction
from fullhouse.infra.wake import QUEUES_CHANNEL, Listener

# The statistics of a table that is empty one minute and full the next are always wrong, so the planner is left one
# plan: walk the queue by position and stop at the limit, and find by its key what is leased. Else it reads and sorts
# the whole queue for every few messages, as soon as it believes that there are few. The condition on the key is a
# subquery for its first message, not an anti-join, so that it stays an index probe; and the conditions are negated
# because the planner expects two thirds of all rows to pass a "greater" that is not true, so that it need not walk far.
# Leases and acknowledgements do not wait for the disk: a crash of the server that loses one hands a message out again,
# as it may. What is published, put off or put away does wait.
_BY_INDEX_UNHURRIED: LiteralString = """
    SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off;
    SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL synchronous_commit = off
    """

_RECEIVE: LiteralString = """
    WITH ready AS MATERIALIZED (
        SELECT m.position FROM broker_messages m
        WHERE m.queue = $1 AND (m.visible_at > clock_timestamp()) IS NOT TRUE
          AND (m.position > (SELECT min(e.position) FROM broker_messages e WHERE e.queue = $1 AND e.key = m.key))
              IS NOT TRUE
        ORDER BY m.position LIMIT $2
        FOR UPDATE SKIP LOCKED
    ), leased AS (
        UPDATE broker_messages m
        SET lease_token = $3, attempts = least(attempts + 1, 32767),
            visible_at = clock_timestamp() + make_interval(secs => $4)
        FROM ready
        WHERE m.queue = $1 AND m.position = ready.position
        RETURNING m.*
    )
    SELECT position, organization_id, message_id, key, body, attempts FROM leased ORDER BY position
    """

_PUBLISH: LiteralString = """
    WITH added AS (
        INSERT INTO broker_messages (queue, organization_id, message_id, key, body)
        SELECT m.queue, m.organization_id, m.message_id, m.key, m.body
        FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::jsonb[])
            WITH ORDINALITY AS m(queue, organization_id, message_id, key, body, ordinal)
        ORDER BY m.ordinal
        ON CONFLICT ON CONSTRAINT broker_messages_once DO NOTHING
        RETURNING queue
    )
    SELECT pg_notify($6, queue) FROM added GROUP BY queue
    """

_DEAD_LETTER: LiteralString = """
    WITH gone AS (
        DELETE FROM broker_messages WHERE queue = $1 AND position = $2 AND lease_token = $3
        RETURNING organization_id, queue, message_id, key, body, attempts
    )
    INSERT INTO dead_letters (organization_id, dead_letter_id, queue, message_id, key, body, reason, attempts)
    SELECT organization_id, $4, queue, message_id, key, body, $5, attempts FROM gone
    """

_REASON_LENGTH_MAX = 2_000


def open_broker(
    _broker_url: str, *, pool: Pool, database_url: str, make_id: MakeId, find_unheard: FindUnheard | None = None
) -> Broker:
    """Return queues in the product's own database."""
    return PostgresBroker(pool, database_url, make_id, find_unheard)


class PostgresBroker:
    """Queues in the tables ``broker_messages`` and ``dead_letters``."""

    def __init__(self, pool: Pool, database_url: str, make_id: MakeId, find_unheard: FindUnheard | None = None) -> None:
        """Take the pool that statements go through, and the URL of the connection that listens."""
        self._pool = pool
        self._find_unheard = find_unheard
        self._make_id = make_id
        self._listener = Listener(database_url, QUEUES_CHANNEL)
        self._queues: Collection[str] = ()
        self._queues_of_type: defaultdict[str, list[str]] = defaultdict(list)

    async def declare(self, queues: Mapping[str, Collection[str]]) -> None:
        """Remember who wants what; a queue of rows needs no making."""
        self._queues = tuple(queues)
        self._queues_of_type.clear()
        for queue, types in queues.items():
            for name in types:
                self._queues_of_type[name].append(queue)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Insert the batch in one statement. A message that still waits in a queue is not entered there again."""
        pairs = [(queue, message) for message in messages for queue in self._queues_of_type.get(message.type, ())]
        if not pairs:
            return
        with _broker_errors():
            async with connection(self._pool, EVERY_ORGANIZATION) as conn:
                if self._find_unheard is not None:
                    unheard = await self._find_unheard(conn, messages)
                    pairs = [pair for pair in pairs if (pair[0], pair[1].message_id) not in unheard]
                if pairs:
                    await _insert(conn, pairs)

    async def receive(self, queue: str, *, count_max: int, lease_seconds: float) -> list[Delivery]:
        """Lease the first message of each key that is ready, in the order of their publishing."""
        await self._listener.arm(queue)
        token = self._make_id()
        with _broker_errors():
            async with transaction(self._pool, EVERY_ORGANIZATION, _BY_INDEX_UNHURRIED) as conn:
                rows = await conn.fetch(_RECEIVE, queue, count_max, token, lease_seconds)
        return [_delivery(queue, token, row) for row in rows]

    async def wait(self, queue: str, seconds_max: float) -> None:
        """Wait for the NOTIFY of a publishing into the queue."""
        await self._listener.wait(seconds_max, queue)

    async def extend(self, delivery: Delivery, lease_seconds: float) -> None:
        """Prolong the lease."""
        await self._execute(
            """
            UPDATE broker_messages SET visible_at = clock_timestamp() + make_interval(secs => $4)
            WHERE queue = $1 AND position = $2 AND lease_token = $3
            """,
            delivery.queue,
            *delivery.receipt,
            lease_seconds,
        )

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Delete what this consumer still has on lease."""
        with _broker_errors():
            async with transaction(self._pool, EVERY_ORGANIZATION, _BY_INDEX_UNHURRIED) as conn:
                await conn.execute(
                    """
                    DELETE FROM broker_messages m
                    USING unnest($1::text[], $2::bigint[], $3::uuid[]) AS d(queue, position, token)
                    WHERE m.queue = d.queue AND m.position = d.position AND m.lease_token = d.token
                    """,
                    [delivery.queue for delivery in deliveries],
                    [delivery.receipt[0] for delivery in deliveries],
                    [delivery.receipt[1] for delivery in deliveries],
                )

    async def retry_later(self, delivery: Delivery, delay_seconds: float) -> None:
        """End the lease and hide the message for the delay."""
        await self._execute(
            """
            UPDATE broker_messages SET lease_token = NULL, visible_at = clock_timestamp() + make_interval(secs => $4)
            WHERE queue = $1 AND position = $2 AND lease_token = $3
            """,
            delivery.queue,
            *delivery.receipt,
            delay_seconds,
        )

    async def dead_letter(self, delivery: Delivery, reason: str) -> None:
        """Move the message to the dead letters in one statement."""
        await self._execute(
            _DEAD_LETTER, delivery.queue, *delivery.receipt, self._make_id(), reason[:_REASON_LENGTH_MAX]
        )

    async def requeue(self, queue: str, body: Mapping[str, Json]) -> None:
        """Insert the body at the end of the queue."""
        with _broker_errors():
            async with connection(self._pool, EVERY_ORGANIZATION) as conn:
                await _insert(conn, [(queue, from_cloud_event(body))])

    async def depth(self) -> list[QueueDepth]:
        """Count the rows of each queue: of those declared, and of any other that has rows."""
        with _broker_errors():
            async with connection(self._pool, EVERY_ORGANIZATION) as conn:
                rows = await conn.fetch(
                    """
                    SELECT queue, count(m.position) AS count,
                           coalesce(extract(epoch FROM clock_timestamp() - min(m.enqueued_at)), 0)::float8 AS oldest
                    FROM unnest($1::text[]) AS q(queue) FULL JOIN broker_messages m USING (queue)
                    GROUP BY queue ORDER BY queue
                    """,
                    list(self._queues),
                )
        return [QueueDepth(row["queue"], row["count"], row["oldest"]) for row in rows]

    async def close(self) -> None:
        """Stop listening; the pool belongs to who opened it."""
        await self._listener.close()

    async def _execute(self, query: LiteralString, *args: object) -> None:
        with _broker_errors():
            async with connection(self._pool, EVERY_ORGANIZATION) as conn:
                await conn.execute(query, *args)


async def _insert(conn: Connection, pairs: Sequence[tuple[str, Message]]) -> None:
    await conn.fetch(
        _PUBLISH,
        [queue for queue, _ in pairs],
        [message.organization_id for _, message in pairs],
        [message.message_id for _, message in pairs],
        [message.key for _, message in pairs],
        [to_cloud_event(message) for _, message in pairs],
        QUEUES_CHANNEL,
    )


@contextmanager
def _broker_errors() -> Generator[None]:
    try:
        yield
    except Unavailable as lost:
        raise BrokerUnavailable(retry_after_seconds=1) from lost
    except (asyncpg.InsufficientResourcesError, asyncpg.OperatorInterventionError) as lost:
        raise BrokerUnavailable(str(lost), retry_after_seconds=1) from lost
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError) as refused:
        raise MessageRefused(str(refused)) from refused


def _delivery(queue: str, token: UUID, row: Record) -> Delivery:
    return Delivery(
        queue=queue,
        body=row["body"],
        organization_id=row["organization_id"],
        message_id=row["message_id"],
        key=row["key"],
        attempts=row["attempts"],
        receipt=(row["position"], token),
    )
