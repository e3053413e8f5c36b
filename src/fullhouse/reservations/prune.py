"""Forgetting: changes of stock, and reservations that came to nothing, are deleted in batches when they are old.

Each batch commits by itself, and nothing of it is locked by those who sell, so that nobody waits for it.
"""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, connection
from fullhouse.reservations.queries import load_ended

CHANGES_KEPT_SECONDS = 3_600
"""A desk that is further behind loads all of the stock."""
ENDED_KEPT_DAYS = 30
"""Longer than a repeated idempotency key is answered, and than anybody looks at a reservation that ended."""
BATCH_COUNT = 5_000
BATCHES_MAX = 20
"""One run deletes at most this many batches; the next run goes on."""

FindNeeded = Callable[[Connection, Sequence[tuple[UUID, UUID]]], Awaitable[set[tuple[UUID, UUID]]]]
"""Given (organization, reservation) pairs, returns those that something still refers to."""


async def prune_stock_changes(pool: Pool) -> int:
    """Delete changes of stock that are an hour old and not the latest of their session; return how many."""
    deleted = 0
    for _ in range(BATCHES_MAX):
        async with connection(pool, EVERY_ORGANIZATION) as conn:
            count = await _delete_old_changes(conn, CHANGES_KEPT_SECONDS, BATCH_COUNT)
        deleted += count
        if count < BATCH_COUNT:
            break
    return deleted


async def prune_reservations(pool: Pool, find_needed: FindNeeded) -> int:
    """Delete reservations that were released or expired long ago and that nothing refers to; return how many.

    Most holds never become orders. Whoever sells above says which are needed still; those are passed over.
    """
    deleted, after = 0, None
    while deleted < BATCHES_MAX * BATCH_COUNT:
        async with connection(pool, EVERY_ORGANIZATION) as conn:
            ended = await load_ended(conn, ENDED_KEPT_DAYS, after, BATCH_COUNT)
            found = [(one.organization_id, one.reservation_id) for one in ended]
            needed = await find_needed(conn, found)
            deleted += await _delete_ended(conn, [one for one in found if one not in needed])
        if len(ended) < BATCH_COUNT:
            break
        after = ended[-1]
    return deleted


async def _delete_old_changes(conn: Connection, seconds: float, count_max: int) -> int:
    """Delete notes of changes that are older, but the latest of each session; return how many."""
    tag = await conn.execute(
        """
        DELETE FROM stock_changes WHERE (organization_id, session_id, version) IN (
            SELECT c.organization_id, c.session_id, c.version
            FROM stock_changes c JOIN stock k USING (organization_id, session_id)
            WHERE c.changed_at < clock_timestamp() - make_interval(secs => $1) AND c.version < k.version
            LIMIT $2
        )
        """,
        seconds,
        count_max,
    )
    return int(tag.rpartition(" ")[2])


async def _delete_ended(conn: Connection, ended: Sequence[tuple[UUID, UUID]]) -> int:
    """Delete (organization, reservation) pairs that are still released or expired; return how many."""
    tag = await conn.execute(
        """
        DELETE FROM reservations r USING unnest($1::uuid[], $2::uuid[]) AS e(organization_id, reservation_id)
        WHERE r.organization_id = e.organization_id AND r.reservation_id = e.reservation_id
          AND r.status IN ('released', 'expired')
        """,
        [organization_id for organization_id, _ in ended],
        [reservation_id for _, reservation_id in ended],
    )
    return int(tag.rpartition(" ")[2])
