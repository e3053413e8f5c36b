"""Processes that die between two statements: a connection that raises after so many of them."""

from collections.abc import Iterable, Sequence
from typing import LiteralString

from fullhouse.infra.postgres import Connection, Record


class Died(Exception):
    """The process died here."""


class DyingConnection:
    """Passes statements on, and raises instead of running the one after the last that it lives for."""

    def __init__(self, conn: Connection, lives_for: int) -> None:
        self._conn = conn
        self._left = lives_for

    def _count(self) -> None:
        if self._left == 0:
            raise Died
        self._left -= 1

    async def execute(self, query: LiteralString, *args: object) -> str:
        self._count()
        return await self._conn.execute(query, *args)

    async def executemany(self, command: LiteralString, args: Iterable[Sequence[object]]) -> None:
        self._count()
        await self._conn.executemany(command, args)

    async def fetch(self, query: LiteralString, *args: object) -> list[Record]:
        self._count()
        return await self._conn.fetch(query, *args)

    async def fetchrow(self, query: LiteralString, *args: object) -> Record | None:
        self._count()
        return await self._conn.fetchrow(query, *args)

    async def fetchval(self, query: LiteralString, *args: object) -> object:
        self._count()
        return await self._conn.fetchval(query, *args)
