"""A pool that takes down what keeps organizations apart: each of the two walls alone, or both."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from fullhouse.infra.postgres import open_pool
from harness.pools import OwnersPool

_CONDITION = re.compile(r"(?<![\w.])(?:\w+\.)?organization_id = (\$\d+)(?:::uuid)?")
_RUNNING = {"execute", "executemany", "fetch", "fetchrow", "fetchval"}


def careless(statement: str) -> str:
    """Take the organization out of a statement's conditions; its parameter stays, and decides nothing."""
    return _CONDITION.sub(r"(\1::uuid IS NOT NULL)", statement)


class WalledPool(OwnersPool):
    """The product's pool. Both walls stand but inside ``down``."""

    no_conditions = False
    no_row_security = False

    @contextmanager
    def down(self, *, statements: bool = False, rows: bool = False) -> Generator[None]:
        """Let statements forget the organization, or the program work as the superuser that it signed in as."""
        self.no_conditions, self.no_row_security = statements, rows
        try:
            yield
        finally:
            self.no_conditions = self.no_row_security = False

    async def take(self, whose: Any = None) -> Any:
        return _Lent(await super().take(whose), self)

    async def give_back(self, conn: Any, *, in_order: bool) -> None:
        await super().give_back(conn.lent, in_order=in_order)


class _Lent:
    """A connection of the pool, as the walls were when it was borrowed."""

    def __init__(self, conn: Any, pool: WalledPool) -> None:
        self.lent = conn
        self._is_careless = pool.no_conditions
        self.roles = frozenset[str]() if pool.no_row_security else conn.roles

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.lent, name)
        if not self._is_careless or name not in _RUNNING:
            return found
        return lambda statement, *args: found(careless(statement), *args)


async def open_walled_pool(url: str) -> WalledPool:
    pool = await open_pool(url, size_max=10, pool_class=WalledPool)
    assert isinstance(pool, WalledPool)
    return pool
