"""Forgetting: the log of deliveries reaches back thirty days."""

from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection
from fullhouse.webhooks.writes import delete_old_deliveries

KEPT_DAYS = 30
BATCH_COUNT = 5_000
BATCHES_MAX = 20
"""One run deletes at most this many batches; the next run goes on."""


async def prune_deliveries(pool: Pool) -> int:
    """Delete deliveries that ended long ago; return how many. One that is pending is kept."""
    deleted = 0
    for _ in range(BATCHES_MAX):
        async with connection(pool, EVERY_ORGANIZATION) as conn:
            count = await delete_old_deliveries(conn, KEPT_DAYS, BATCH_COUNT)
        deleted += count
        if count < BATCH_COUNT:
            break
    return deleted
