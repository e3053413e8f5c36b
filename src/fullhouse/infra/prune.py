"""Forgetting: rows that have done their duty are deleted in batches, so that tables and indexes stay small.

What is kept, and how long: a message after it was sent, so that one can look back; an inbox row, longer than any
repeat of its message can take; the answer of an idempotency key, longer than any client retries; the
addresses from which organizers worked, as long as a setting says.

Each batch commits by itself, passes over rows that somebody has locked, and is followed by a pause as long as it took,
so that sales go first. A run goes on while there is more, for a third of a minute, and the next one goes on from there.
"""

import asyncio
from asyncio import sleep as _pause
from collections.abc import Awaitable, Callable
from typing import LiteralString

from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection

SENT_DAYS = 7
INBOX_DAYS = 30
IDEMPOTENCY_DAYS = 3
DEAD_LETTER_DAYS = 90

BATCH_COUNT = 1_000
PAUSE_SECONDS = 0.02
"""After a batch a run rests at least this long."""
RUN_SECONDS_MAX = 20.0
"""Then a run ends, well within its limit in the schedule, whatever is left; a worker that stops waits for no more."""


async def prune_outbox(pool: Pool) -> int:
    """Delete messages that were sent long ago; return how many."""
    return await _delete(
        pool,
        """
        WITH old AS MATERIALIZED (
            SELECT organization_id, message_id FROM outbox
            WHERE sent_at < clock_timestamp() - make_interval(days => $1)
            LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        DELETE FROM outbox t USING old
        WHERE t.organization_id = old.organization_id AND t.message_id = old.message_id
        """,
        SENT_DAYS,
    )


async def prune_inbox(pool: Pool) -> int:
    """Delete the rows of reactions that nothing will repeat any more; return how many."""
    return await _delete(
        pool,
        """
        WITH old AS MATERIALIZED (
            SELECT organization_id, source, id FROM inbox
            WHERE received_at < clock_timestamp() - make_interval(days => $1)
            LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        DELETE FROM inbox t USING old
        WHERE t.organization_id = old.organization_id AND t.source = old.source AND t.id = old.id
        """,
        INBOX_DAYS,
    )


async def prune_idempotency_keys(pool: Pool) -> int:
    """Delete answers that nobody will ask for again; return how many."""
    return await _delete(
        pool,
        """
        WITH old AS MATERIALIZED (
            SELECT organization_id, scope, key FROM idempotency_keys
            WHERE created_at < clock_timestamp() - make_interval(days => $1)
            LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        DELETE FROM idempotency_keys t USING old
        WHERE t.organization_id = old.organization_id AND t.scope = old.scope AND t.key = old.key
        """,
        IDEMPOTENCY_DAYS,
    )


async def prune_dead_letters(pool: Pool) -> int:
    """Delete dead letters that were replayed or discarded long ago; those that wait are kept. Return how many."""
    return await _delete(
        pool,
        """
        WITH old AS MATERIALIZED (
            SELECT organization_id, dead_letter_id FROM dead_letters
            WHERE resolved_at < clock_timestamp() - make_interval(days => $1)
            LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        DELETE FROM dead_letters t USING old
        WHERE t.organization_id = old.organization_id AND t.dead_letter_id = old.dead_letter_id
        """,
        DEAD_LETTER_DAYS,
    )


async def prune_audit_origins(pool: Pool, days: int) -> int:
    """Erase from where old entries of the audit log came; the entries stay. Return how many; 0 days is never."""
    if not days:
        return 0
    return await _delete(
        pool,
        """
        WITH old AS MATERIALIZED (
            SELECT organization_id, position FROM audit_origins
            WHERE occurred_at < clock_timestamp() - make_interval(days => $1)
            LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        DELETE FROM audit_origins t USING old
        WHERE t.organization_id = old.organization_id AND t.position = old.position
        """,
        days,
    )


async def delete_in_batches(delete: Callable[[], Awaitable[int]], count_max: int) -> int:
    """Delete batches of so many rows until one is smaller, or the run's time is over; return how many rows."""
    clock = asyncio.get_running_loop().time
    until, deleted = clock() + RUN_SECONDS_MAX, 0
    while True:
        began = clock()
        count = await delete()
        deleted += count
        if count < count_max or clock() >= until:
            return deleted
        await _pause(max(PAUSE_SECONDS, clock() - began))


async def _delete(pool: Pool, query: LiteralString, days: int) -> int:
    async def delete() -> int:
        async with connection(pool, EVERY_ORGANIZATION) as conn:
            tag = await conn.execute(query, days, BATCH_COUNT)
        return int(tag.rpartition(" ")[2])

    return await delete_in_batches(delete, BATCH_COUNT)
