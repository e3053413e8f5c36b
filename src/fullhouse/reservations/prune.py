"""Forgetting: changes of stock, and reservations that came to nothing, are deleted in batches when they are old.

Each batch commits by itself, and passes over what somebody has locked, so that nobody waits.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, connection
from fullhouse.infra.prune import delete_in_batches
from fullhouse.reservations.queries import Ended, load_ended

CHANGES_KEPT_SECONDS = 3_600
"""A desk that is further behind loads all of the stock."""
ENDED_KEPT_DAYS = 30
"""Longer than a repeated idempotency key is answered, and than anybody looks at a reservation that ended."""
BATCH_COUNT = 1_000

FindNeeded = Callable[[Connection, Sequence[tuple[UUID, UUID]]], Awaitable[set[tuple[UUID, UUID]]]]
"""Given (organization, reservation) pairs, returns those that something still refers to."""


@dataclass(slots=True)
class Seen:
    """How far reservations that ended were looked through: what lies before is needed still, or gone."""

    after: Ended | None = None


async def prune_stock_changes(pool: Pool) -> int:
    """Delete changes of stock that are an hour old and not the latest of their session; return how many."""

    async def delete() -> int:
        async with connection(pool, EVERY_ORGANIZATION) as conn:
            return await _delete_old_changes(conn, CHANGES_KEPT_SECONDS, BATCH_COUNT)

    return await delete_in_batches(delete, BATCH_COUNT)


async def prune_reservations(pool: Pool, find_needed: FindNeeded, seen: Seen | None = None) -> int:
    """Delete reservations that were released or expired long ago and that nothing refers to; return how many.

    Most holds never become orders. Whoever sells above says which are needed still; those are passed over. With
    ``seen``, a run goes on where the one before ended, or from the first batch of which something was locked.
    """
    kept = seen or Seen()
    after, deleted, skipped = kept.after, 0, False

    async def look() -> int:
        nonlocal after, deleted, skipped
        async with connection(pool, EVERY_ORGANIZATION) as conn:
            ended = await load_ended(conn, ENDED_KEPT_DAYS, after, BATCH_COUNT)
            found = [(one.organization_id, one.reservation_id) for one in ended]
            needed = await find_needed(conn, found)
            old = [one for one in found if one not in needed]
            count = await _delete_ended(conn, old)
        deleted += count
        skipped |= count < len(old)
        after = ended[-1] if ended else after
        if not skipped:
            kept.after = after
        return len(ended)

    await delete_in_batches(look, BATCH_COUNT)
    return deleted


async def _delete_old_changes(conn: Connection, seconds: float, count_max: int) -> int:
    """Delete notes of changes that are older, but the latest of each session; return how many."""
    tag = await conn.execute(
        """
        WITH old AS MATERIALIZED (
            SELECT c.organization_id, c.session_id, c.version
            FROM stock_changes c JOIN stock k USING (organization_id, session_id)
            WHERE c.changed_at < clock_timestamp() - make_interval(secs => $1) AND c.version < k.version
            LIMIT $2 FOR UPDATE OF c SKIP LOCKED
        )
        DELETE FROM stock_changes t USING old
        WHERE t.organization_id = old.organization_id AND t.session_id = old.session_id AND t.version = old.version
        """,
        seconds,
        count_max,
    )
    return int(tag.rpartition(" ")[2])


async def _delete_ended(conn: Connection, ended: Sequence[tuple[UUID, UUID]]) -> int:
    """Delete (organization, reservation) pairs that are still released or expired; return how many."""
    tag = await conn.execute(
        """
        WITH old AS MATERIALIZED (
            SELECT r.organization_id, r.reservation_id
            FROM reservations r JOIN unnest($1::uuid[], $2::uuid[]) AS e(organization_id, reservation_id)
              USING (organization_id, reservation_id)
            WHERE r.status IN ('released', 'expired')
            FOR UPDATE OF r SKIP LOCKED
        )
        DELETE FROM reservations r USING old
        WHERE r.organization_id = old.organization_id AND r.reservation_id = old.reservation_id
        """,
        [organization_id for organization_id, _ in ended],
        [reservation_id for _, reservation_id in ended],
    )
    return int(tag.rpartition(" ")[2])
