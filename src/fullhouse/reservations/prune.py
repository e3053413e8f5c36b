"""Forgetting: changes of stock, and reservations that came to nothing, are deleted in batches when they are old.

Each batch commits by itself, and nothing of it is locked by those who sell, so that nobody waits for it.
"""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, connection
from fullhouse.reservations.queries import load_ended
from fullhouse.reservations.writes import delete_ended, delete_old_changes

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
            count = await delete_old_changes(conn, CHANGES_KEPT_SECONDS, BATCH_COUNT)
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
            deleted += await delete_ended(conn, [one for one in found if one not in needed])
        if len(ended) < BATCH_COUNT:
            break
        after = ended[-1]
    return deleted
