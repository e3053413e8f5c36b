"""Forgetting what stock changed long ago: a desk that is further behind loads all of it."""

from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection
from fullhouse.reservations.writes import delete_old_changes

KEPT_SECONDS = 3_600
BATCH_COUNT = 5_000
BATCHES_MAX = 20
"""One run deletes at most this many batches; the next run goes on."""


async def prune_stock_changes(pool: Pool) -> int:
    """Delete changes of stock that are an hour old and not the latest of their session; return how many."""
    deleted = 0
    for _ in range(BATCHES_MAX):
        async with connection(pool, EVERY_ORGANIZATION) as conn:
            count = await delete_old_changes(conn, KEPT_SECONDS, BATCH_COUNT)
        deleted += count
        if count < BATCH_COUNT:
            break
    return deleted
