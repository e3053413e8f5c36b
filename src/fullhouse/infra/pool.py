"""Connections that are lent again and again: a pool that gives one back to the driver only when nobody needs it.

The driver's own way of lending takes longer than a statement. So who gives a connection back in order leaves it here,
and the next takes it as it is; the driver looks after it again once a minute, after trouble, and when others wait.
"""

# asyncpg carries few types, so this file and ``postgres``, which alone call it, say less strictly what they
# get from it.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
from collections.abc import Collection
from functools import cached_property
from types import TracebackType
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from fullhouse.infra.row_security import Standing, Whose, changes

KEPT_SECONDS_MAX = 60.0
"""So long a connection may lie here until the driver looks after it: it closes those that nobody wants."""


_FIRST_OID_OF_ITS_OWN = 16_384
"""Below it the types of Postgres itself have their numbers, the same in every database."""


class _Asked(NamedTuple):
    """The statement that asked about types; the driver wants to know whether it had a name."""

    name: str = ""


_TYPES: dict[frozenset[int], Any] = {}
"""What this process was told of types, by the set that was asked about: a few, since few statements have new ones."""


class PooledConnection(asyncpg.Connection):
    """A pooled connection that remembers how its session stands, so that it is told only what changes."""

    __slots__ = ("roles", "standing", "whose")

    def __init__(self, *args: Any) -> None:  # noqa: ANN401 (what the driver passes)
        """Begin as Postgres does: as it signed in, and for nobody."""
        super().__init__(*args)
        self.roles: frozenset[str] = frozenset()
        self.standing: Standing | None = Standing()
        self.whose: Whose | None = None

    async def _introspect_types(self, typeoids: Collection[int], timeout: float | None) -> Any:  # noqa: ANN401, ASYNC109 (as the driver declares it)
        """Ask about Postgres' own types once in a process: the driver asks on each connection, 5 to 8 ms a time."""
        asked = frozenset(typeoids)
        types = _TYPES.get(asked)
        if types is None:
            types, statement = await super()._introspect_types(typeoids, timeout)
            if max(asked) >= _FIRST_OID_OF_ITS_OWN:
                return types, statement
            _TYPES[asked] = types
        return types, _Asked()

    async def stand(self, wanted: Standing, whose: Whose | None = None) -> None:
        """Set up the session, unless it is. One that was interrupted at it is set up anew by the next borrower."""
        if self.standing is not wanted and self.standing != wanted:
            statements, self.standing, self.whose = changes(self.standing, wanted, "SET"), None, None
            await self.execute(statements)
            self.standing, self.whose = wanted, whose


class Pool(asyncpg.Pool):
    """Connections to one database, lent by ``connection`` and ``transaction`` to who says whose rows it wants."""

    pooler: bool = False
    """Whether what a session is told may be lost, or reach others, after each transaction."""
    waiting_count: int = 0
    """How many wait for a connection of the driver's."""
    expired_count: int = 0
    """How often all connections that were open were given up."""
    _is_ending: bool = False
    _look: asyncio.TimerHandle | None = None
    _looking: asyncio.Task[None] | None = None

    @cached_property
    def organizations(self) -> dict[tuple[str, UUID], UUID]:
        """Whose things are, as the directory remembers it."""
        return {}

    @cached_property
    def kept(self) -> list[Any]:
        """Connections of the driver's that lie here until the next borrower comes; the last is taken first."""
        return []

    def acquire(self, *, timeout: float | None = None) -> Any:  # noqa: ANN401, ARG002 (as the driver declares it)
        """Refuse: a connection that was not told whose rows it is for may still be another's."""
        raise TypeError("borrow with connection() or transaction(), and say whose rows it is for")

    def borrow(self, whose: Whose | None = None) -> Any:  # noqa: ANN401 (the driver carries few types)
        """Lend a connection as the borrower before left it; if there is one, one that last stood for these rows."""
        return _Loan(self, whose)

    async def take(self, whose: Whose | None = None) -> Any:  # noqa: ANN401 (the driver carries few types)
        """Take a connection that lies here, or else one of the driver's."""
        while self.kept:
            conn = self.kept.pop(self._nearest(whose))
            if _is_open(conn):
                return conn
            await self.release(conn)
        self.waiting_count += 1
        try:
            return await super().acquire()
        finally:
            self.waiting_count -= 1

    def _nearest(self, whose: Whose | None) -> int:
        """Find the connection that need not be told whose rows it is for, and knows the statements: else the last."""
        for place in range(len(self.kept) - 1, -1, -1):
            # One that was lost while it lay here knows nothing any more.
            if getattr(self.kept[place], "whose", None) == whose:
                return place
        return -1

    async def give_back(self, conn: Any, *, in_order: bool) -> None:  # noqa: ANN401 (the driver carries few types)
        """Keep a connection for the next borrower, or let the driver look after it: after trouble, or who waits."""
        if not in_order or self.waiting_count or self._is_ending or not _is_open(conn) or conn.is_in_transaction():
            await self.release(conn)
            return
        self.kept.append(conn)
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(KEPT_SECONDS_MAX, self._give_back_soon)

    async def give_back_kept(self) -> None:
        """Let the driver look after all that lie here."""
        while self.kept:
            await self.release(self.kept.pop())

    def get_idle_size(self) -> int:
        """Return how many connections nobody uses."""
        return super().get_idle_size() + len(self.kept)

    async def expire_connections(self) -> None:
        """Let no connection that is open now be lent again."""
        self.expired_count += 1
        await super().expire_connections()
        await self.give_back_kept()

    async def close(self) -> None:
        """Close all connections, when they have been given back."""
        if self._look is not None:
            self._look.cancel()
        self._is_ending = True
        await self.give_back_kept()
        await super().close()

    def _give_back_soon(self) -> None:
        self._look = None
        self._looking = asyncio.get_running_loop().create_task(self.give_back_kept())


class _Loan:
    """A connection for a block."""

    __slots__ = ("_conn", "_expired_count", "_pool", "_whose")

    def __init__(self, pool: Pool, whose: Whose | None) -> None:
        self._pool = pool
        self._whose = whose
        self._expired_count = pool.expired_count
        self._conn: Any = None

    async def __aenter__(self) -> Any:  # noqa: ANN401 (the driver carries few types)
        self._conn = await self._pool.take(self._whose)
        return self._conn

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.give_back(
            self._conn, in_order=kind is None and self._expired_count == self._pool.expired_count
        )


def _is_open(conn: Any) -> bool:  # noqa: ANN401 (the driver carries few types)
    try:
        return not conn.is_closed()
    except asyncpg.InterfaceError:
        # It was lost while it lay here, and the driver has taken it back.
        return False
