"""Forgetting: the log of deliveries reaches back thirty days."""

from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection
from fullhouse.infra.prune import delete_in_batches
from fullhouse.webhooks.writes import delete_old_deliveries

KEPT_DAYS = 30
BATCH_COUNT = 1_000


async def prune_deliveries(pool: Pool) -> int:
    """Delete deliveries that ended long ago; return how many. One that is pending is kept."""

    async def delete() -> int:
        async with connection(pool, EVERY_ORGANIZATION) as conn:
            return await delete_old_deliveries(conn, KEPT_DAYS, BATCH_COUNT)

    return await delete_in_batches(delete, BATCH_COUNT)
