"""Forgetting: rows that have done their duty are deleted in batches, so that tables and indexes stay small.

What is kept, and how long: a message after it was sent, so that one can look back; an inbox row, longer than any
repeat of its message can take; the answer of an idempotency key, longer than any client retries; the
addresses from which organizers worked, as long as a setting says.
"""

from typing import LiteralString

from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection

SENT_DAYS = 7
INBOX_DAYS = 30
IDEMPOTENCY_DAYS = 3
DEAD_LETTER_DAYS = 90

BATCH_COUNT = 5_000
BATCHES_MAX = 20
"""One run deletes at most this many batches of a table; the next run goes on."""


async def prune_outbox(pool: Pool) -> int:
    """Delete messages that were sent long ago; return how many."""
    return await _delete(
        pool,
        """
        DELETE FROM outbox WHERE (organization_id, message_id) IN (
            SELECT organization_id, message_id FROM outbox
            WHERE sent_at < clock_timestamp() - make_interval(days => $1) LIMIT $2
        )
        """,
        SENT_DAYS,
    )


async def prune_inbox(pool: Pool) -> int:
    """Delete the rows of reactions that nothing will repeat any more; return how many."""
    return await _delete(
        pool,
        """
        DELETE FROM inbox WHERE (organization_id, source, id) IN (
            SELECT organization_id, source, id FROM inbox
            WHERE received_at < clock_timestamp() - make_interval(days => $1) LIMIT $2
        )
        """,
        INBOX_DAYS,
    )


async def prune_idempotency_keys(pool: Pool) -> int:
    """Delete answers that nobody will ask for again; return how many."""
    return await _delete(
        pool,
        """
        DELETE FROM idempotency_keys WHERE (organization_id, scope, key) IN (
            SELECT organization_id, scope, key FROM idempotency_keys
            WHERE created_at < clock_timestamp() - make_interval(days => $1) LIMIT $2
        )
        """,
        IDEMPOTENCY_DAYS,
    )


async def prune_dead_letters(pool: Pool) -> int:
    """Delete dead letters that were replayed or discarded long ago; those that wait are kept. Return how many."""
    return await _delete(
        pool,
        """
        DELETE FROM dead_letters WHERE (organization_id, dead_letter_id) IN (
            SELECT organization_id, dead_letter_id FROM dead_letters
            WHERE resolved_at < clock_timestamp() - make_interval(days => $1) LIMIT $2
        )
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
        DELETE FROM audit_origins WHERE (organization_id, position) IN (
            SELECT organization_id, position FROM audit_origins
            WHERE occurred_at < clock_timestamp() - make_interval(days => $1) LIMIT $2
        )
        """,
        days,
    )


async def _delete(pool: Pool, query: LiteralString, days: int) -> int:
    deleted = 0
    for _ in range(BATCHES_MAX):
        async with connection(pool, EVERY_ORGANIZATION) as conn:
            tag = await conn.execute(query, days, BATCH_COUNT)
        count = int(tag.rpartition(" ")[2])
        deleted += count
        if count < BATCH_COUNT:
            break
    return deleted
