"""Pools for tests: the product works through them as ever; what a test runs on the pool itself is the owner's.

So ``connection(pool, whose)`` and ``transaction(pool, whose)`` stand behind row level security, and
``pool.fetchval(…)``, ``pool.execute(…)`` and ``pool.acquire()`` prepare and look at whatever they like.
"""

from typing import Any

from asyncpg.pool import PoolAcquireContext

from fullhouse.infra.postgres import Pool, open_pool
from fullhouse.infra.row_security import Standing


class OwnersPool(Pool):
    """The product's pool, and the owner's beside it."""

    def acquire(self, *, timeout: float | None = None) -> Any:
        return _AsOwner(self, timeout)


class _AsOwner(PoolAcquireContext):
    async def __aenter__(self) -> Any:
        pool: Any = self.pool
        await pool.give_back_kept()
        # Else those who give connections back would keep them for the product, and the driver had none for us.
        pool.waiting_count += 1
        try:
            conn: Any = await super().__aenter__()
        finally:
            pool.waiting_count -= 1
        await conn.stand(Standing())
        return conn


async def open_owners_pool(url: str, *, size_max: int = 20) -> OwnersPool:
    pool = await open_pool(url, size_max=size_max, pool_class=OwnersPool)
    assert isinstance(pool, OwnersPool)
    return pool
