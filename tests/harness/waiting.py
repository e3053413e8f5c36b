"""Waiting for what another process, or another task, does."""

import asyncio
from collections.abc import Awaitable, Callable

from fullhouse.infra.postgres import Pool

PATIENCE_SECONDS = 30.0


async def until(condition: Callable[[], Awaitable[object]], patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Return when the condition holds; fail when it still does not after a time that no healthy run needs."""
    async with asyncio.timeout(patience_seconds):
        while not await condition():  # noqa: ASYNC110 (nothing tells us: that is why we look)
            await asyncio.sleep(0.01)


async def somebody_waits(pool: Pool) -> None:
    """Return when a statement in this database waits for a lock."""
    query = """
        SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')
    """
    await until(lambda: pool.fetchval(query))
