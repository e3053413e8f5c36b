"""The depths of the queues, read from the database when somebody asks for metrics."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from fullhouse.core.clock import Clock
from fullhouse.core.errors import Unavailable
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, Record, connection
from fullhouse.infra.queue_depths import NotedDepth, load_depths
from fullhouse.infra.row_security import MayNotCross
from fullhouse.infra.telemetry import gauge
from fullhouse.reservations.desk import Desks

FRESH_SECONDS = 2
QUERY_SECONDS_MAX = 5
COUNTED_MAX = 100_000
"""Counting stops here, so that a scrape stays cheap when a queue is in trouble."""

DATABASE_UP = gauge("database_up", "Whether the last look at the database succeeded.")
DATABASE_CONNECTIONS = gauge("database_connections", "Connections of this process's pool, by state.", ["state"])
OUTBOX_DEPTH = gauge("outbox_unsent", "Messages that the relay has not sent, at most 100,000.")
OUTBOX_AGE = gauge("outbox_oldest_seconds", "Age of the oldest message that the relay has not sent.")
OUTBOX_PARKED = gauge("outbox_parked", "Messages that the relay gave up on, at most 100,000.")
QUEUE_DEPTH = gauge("queue_depth", "Messages waiting for a consumer, at most 100,000 in all.", ["queue"])
QUEUE_AGE = gauge("queue_oldest_seconds", "Age of the oldest message waiting for a consumer, where known.", ["queue"])
QUEUE_MEASURED = gauge(
    "queue_measured_seconds", "How long ago a worker measured a queue of a broker that is not the database.", ["queue"]
)
DEAD_LETTERS = gauge("dead_letters_open", "Messages that failed for good and wait for a person, at most 100,000.")
HELD_OVERDUE = gauge("reservations_overdue", "Reservations still held after their deadline, at most 100,000.")
MAIL_PROBLEMS = gauge("mails_not_arrived", "Mails of the last day that did not arrive, by problem.", ["problem"])
MONEY_CASES = gauge("money_cases_open", "Cases of money that wait for a person, at most 100,000.")
DESKS_OPEN = gauge("desks_open", "Sessions whose stock this process keeps in memory.")
DESKS_WAITING = gauge("desks_waiting", "Requests that wait for a desk of this process.")


class Gauges:
    """Reads the depths at most every two seconds, however many ask."""

    def __init__(self, pool: Pool, clock: Clock, desks: Desks) -> None:
        """Prepare; nothing is read yet."""
        self._pool = pool
        self._desks = desks
        self._clock = clock
        self._read_at: datetime | None = None
        self._reading = asyncio.Lock()

    async def refresh(self) -> None:
        """Bring the gauges up to date. Without a database the old depths stay and ``database_up`` becomes 0."""
        self._set_process()
        async with self._reading:
            now = self._clock()
            if self._read_at is not None and now - self._read_at < timedelta(seconds=FRESH_SECONDS):
                return
            self._read_at = now
            try:
                async with asyncio.timeout(QUERY_SECONDS_MAX):
                    await self._read()
            except (Unavailable, OSError):
                DATABASE_UP.set(0)
            except MayNotCross:
                # This process is kept to one organization at a time; others tell the depths.
                DATABASE_UP.set(1)
            else:
                DATABASE_UP.set(1)

    def _set_process(self) -> None:
        DESKS_OPEN.set(self._desks.open_count)
        DESKS_WAITING.set(self._desks.waiting_count)
        idle = self._pool.get_idle_size()
        DATABASE_CONNECTIONS.labels("idle").set(idle)
        DATABASE_CONNECTIONS.labels("busy").set(self._pool.get_size() - idle)

    async def _read(self) -> None:
        async with connection(self._pool, EVERY_ORGANIZATION) as conn:
            depths = await conn.fetchrow(
                """
                SELECT
                    (SELECT count(*) FROM (
                        SELECT 1 FROM outbox WHERE sent_at IS NULL AND parked_at IS NULL LIMIT $1) AS unsent) AS unsent,
                    (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(occurred_at)), 0)::float FROM (
                        SELECT occurred_at FROM outbox WHERE sent_at IS NULL AND parked_at IS NULL LIMIT $1) AS unsent
                    ) AS unsent_seconds,
                    (SELECT count(*) FROM (
                        SELECT 1 FROM outbox WHERE sent_at IS NULL
                            AND (parked_at IS NOT NULL OR retry_at = 'infinity') LIMIT $1) AS p) AS parked,
                    (SELECT count(*) FROM (
                        SELECT 1 FROM dead_letters WHERE resolved_at IS NULL LIMIT $1) AS dead) AS dead,
                    (SELECT count(*) FROM (
                        SELECT 1 FROM reservations
                        WHERE status = 'held' AND expires_at < clock_timestamp() LIMIT $1) AS overdue) AS overdue,
                    (SELECT count(*) FROM (
                        SELECT 1 FROM money_cases WHERE closed_at IS NULL LIMIT $1) AS cases) AS money_cases
                """,
                COUNTED_MAX,
            )
            queues = await conn.fetch(
                """
                SELECT queue, count(*) AS depth,
                       extract(epoch FROM clock_timestamp() - min(enqueued_at))::float AS oldest_seconds
                FROM (SELECT queue, enqueued_at FROM broker_messages LIMIT $1) AS waiting
                GROUP BY queue
                """,
                COUNTED_MAX,
            )
            noted = await load_depths(conn)
            problems = await conn.fetch(
                """
                SELECT problem, count(*) AS count FROM mail_deliveries
                WHERE problem IS NOT NULL AND problem_at > clock_timestamp() - interval '1 day' GROUP BY problem
                """
            )
        if depths is not None:
            _set_depths(depths)
        MAIL_PROBLEMS.clear()
        for row in problems:
            MAIL_PROBLEMS.labels(row["problem"]).set(row["count"])
        QUEUE_DEPTH.clear()
        QUEUE_AGE.clear()
        for row in queues:
            QUEUE_DEPTH.labels(row["queue"]).set(row["depth"])
            QUEUE_AGE.labels(row["queue"]).set(row["oldest_seconds"])
        _set_noted(noted)


def _set_noted(noted: Sequence[NotedDepth]) -> None:
    QUEUE_MEASURED.clear()
    for depth in noted:
        QUEUE_DEPTH.labels(depth.queue).set(depth.count)
        QUEUE_MEASURED.labels(depth.queue).set(depth.measured_seconds)
        if depth.oldest_seconds is not None:
            QUEUE_AGE.labels(depth.queue).set(depth.oldest_seconds)


def _set_depths(row: Record) -> None:
    OUTBOX_DEPTH.set(row["unsent"])
    OUTBOX_AGE.set(row["unsent_seconds"])
    OUTBOX_PARKED.set(row["parked"])
    DEAD_LETTERS.set(row["dead"])
    HELD_OVERDUE.set(row["overdue"])
    MONEY_CASES.set(row["money_cases"])
