"""Postgres: pools, transactions, and constraints turned into domain errors.

SQL is written as literals; the protocols below accept nothing else, so a built string fails the type check.
Whoever borrows a connection says whose rows it is for, and row level security shows and takes no others:

======================  ========================================================================================
an organization's id    the rows of that organization
``OfUser(user_id)``     what concerns one person in whatever organization, such as where they are a member
``NO_ORGANIZATION``     tables outside organizations, such as ``users`` and ``directory``; and what anybody may see
``EVERY_ORGANIZATION``  all rows: for workers, and for the operator's own commands
======================  ========================================================================================
"""

# asyncpg carries few types, so this file and ``pool``, which alone call it, say less strictly what they get
# from it.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, LiteralString, Protocol, cast

import asyncpg
from pydantic_core import from_json, to_json

from fullhouse.core.errors import DomainError
from fullhouse.infra import pool as pools
from fullhouse.infra import reachable, row_security
from fullhouse.infra.reachable import REACHABLE
from fullhouse.infra.row_security import APP_ROLE, WORKER_ROLE, changes, standing_for
from fullhouse.infra.tasks import be_a_task

Record = Mapping[str, Any]
"""A row: columns by name."""

IntegrityError = asyncpg.IntegrityConstraintViolationError
"""A constraint was broken; nothing of the statement was written."""

NO_ORGANIZATION = row_security.Span.NO_ORGANIZATION
EVERY_ORGANIZATION = row_security.Span.EVERY_ORGANIZATION
OfUser = row_security.OfUser
Whose = row_security.Whose
Pool = pools.Pool
DatabaseUnavailable = reachable.DatabaseUnavailable

STATEMENT_SECONDS_MAX = 30
"""No statement of the product runs longer; maintenance sets its own limit."""

CONNECT_SECONDS_MAX = 10
_STATEMENTS_KEPT = 100
"""How many prepared statements a connection remembers."""


class Connection(Protocol):
    """What a function that takes ``conn`` may do: run statements inside the caller's transaction."""

    async def execute(self, query: LiteralString, *args: object) -> str:
        """Run a statement and return its command tag, such as ``UPDATE 1``."""
        ...

    async def executemany(self, command: LiteralString, args: Iterable[Sequence[object]]) -> None:
        """Run a statement once for each sequence of arguments."""
        ...

    async def fetch(self, query: LiteralString, *args: object) -> list[Record]:
        """Return all rows."""
        ...

    async def fetchrow(self, query: LiteralString, *args: object) -> Record | None:
        """Return the first row, or None."""
        ...

    async def fetchval(self, query: LiteralString, *args: object) -> Any:  # noqa: ANN401 (a column of any type)
        """Return the first column of the first row, or None."""
        ...


async def open_pool(
    url: str,
    *,
    size_min: int = 1,
    size_max: int = 10,
    application_name: str = "fullhouse",
    pooler: bool = False,
    pool_class: type[Pool] = Pool,
) -> Pool:
    """Open a pool. Every connection speaks UTC and JSON, and has a limit on each statement and each idle wait.

    With ``pooler``, the URL leads to one that lends connections for a transaction (PgBouncer, RDS Proxy): statements
    are not prepared by name, and the limits on the server's side are those of the role.
    """
    limits = {
        "jit": "off",
        "statement_timeout": f"{STATEMENT_SECONDS_MAX}s",
        "idle_in_transaction_session_timeout": "60s",
    }
    pool = pool_class(
        url,
        min_size=size_min,
        max_size=size_max,
        max_queries=50_000,
        connection_class=pools.PooledConnection,
        record_class=asyncpg.Record,
        loop=None,
        init=_prepare,
        reset=_leave_as_it_is,
        command_timeout=STATEMENT_SECONDS_MAX + 5,
        max_inactive_connection_lifetime=300,
        statement_cache_size=0 if pooler else _STATEMENTS_KEPT,
        server_settings={"application_name": application_name, "timezone": "UTC", **({} if pooler else limits)},
    )
    pool.pooler = pooler
    await pool
    return pool


class OwnConnection(Connection, Protocol):
    """A connection outside any pool, for what lasts: listening, or an advisory lock held for the life of a process."""

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None:
        """Call back at each NOTIFY of a channel with (connection, pid, channel, payload)."""
        ...

    def is_closed(self) -> bool:
        """Say whether the connection was closed, by us or by the other side."""
        ...

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 (the driver's own signature)
        """Close it in order."""
        ...

    def terminate(self) -> None:
        """Close it at once."""
        ...


async def open_connection(url: str, *, application_name: str = "fullhouse") -> OwnConnection:
    """Open a connection that is not pooled. A peer that is gone without a word is noticed within half a minute.

    Raises ``DatabaseUnavailable``.
    """
    try:
        conn = await asyncpg.connect(
            url,
            timeout=CONNECT_SECONDS_MAX,
            command_timeout=STATEMENT_SECONDS_MAX + 5,
            server_settings={
                "application_name": application_name,
                "timezone": "UTC",
                "statement_timeout": f"{STATEMENT_SECONDS_MAX}s",
                "tcp_keepalives_idle": "10",
                "tcp_keepalives_interval": "5",
                "tcp_keepalives_count": "3",
            },
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as lost:
        raise DatabaseUnavailable(retry_after_seconds=1) from lost
    return cast("OwnConnection", conn)


async def _prepare(conn: pools.PooledConnection) -> None:
    """Teach a new connection that ``json`` and ``jsonb`` are Python values, and find out which roles it may take."""
    # In a transaction: between two of its steps a pooler would lend another server's connection.
    async with conn.transaction():
        conn.roles = frozenset(row["rolname"] for row in await conn.fetch(_ROLES, [APP_ROLE, WORKER_ROLE]))
        for name, encode, decode in (("json", to_json, from_json), ("jsonb", _to_jsonb, _from_jsonb)):
            # In binary: the driver writes an array of texts character by character.
            await conn.set_type_codec(name, encoder=encode, decoder=decode, schema="pg_catalog", format="binary")


_ROLES = """
    SELECT rolname FROM pg_roles WHERE rolname = ANY ($1::text[]) AND pg_has_role(
        session_user, oid, CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END
    )
    """


async def _leave_as_it_is(_conn: asyncpg.Connection) -> None:
    """Save the statement that the driver would send after each use.

    Of ours only the organization outlasts a transaction, and each borrower says whose rows it wants. A transaction
    that was left open is rolled back all the same, before this.
    """


_JSONB_VERSION = b"\x01"
"""What stands before the text of every ``jsonb`` on the wire."""


def _to_jsonb(value: object) -> bytes:
    return _JSONB_VERSION + to_json(value)


def _from_jsonb(data: bytes) -> Any:  # noqa: ANN401 (JSON)
    return from_json(data[1:])


def connection(pool: Pool, whose: Whose) -> AbstractAsyncContextManager[Connection]:
    """Borrow a connection for statements that each commit by themselves (behind a pooler, all of them at the end)."""
    return transaction(pool, whose) if pool.pooler else _Borrowed(pool, whose)


class _Borrowed(AbstractAsyncContextManager[Connection]):
    """A connection for a block. It has no generators inside: they were a quarter of what is around a lone hold."""

    __slots__ = ("_conn", "_expired_count", "_pool", "_whose")

    def __init__(self, pool: Pool, whose: Whose) -> None:
        self._pool = pool
        self._whose = whose
        self._expired_count = pool.expired_count
        self._conn: Any = None

    async def __aenter__(self) -> Connection:
        if asyncio.current_task() is None:
            await be_a_task()
        with REACHABLE:
            conn = self._conn = await self._pool.take(self._whose)
            try:
                await conn.stand(standing_for(self._whose, conn.roles), self._whose)
            except BaseException as error:
                await self._end(error)
                raise
        return conn

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with REACHABLE:
            await self._end(error)
        REACHABLE.__exit__(kind, error, trace)

    async def _end(self, error: BaseException | None) -> None:
        if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
            self._conn.terminate()
        in_order = error is None and self._expired_count == self._pool.expired_count
        await self._pool.give_back(self._conn, in_order=in_order)


@asynccontextmanager
async def transaction(pool: Pool, whose: Whose, settings: LiteralString = "") -> AsyncGenerator[Connection]:
    """Borrow a connection and run the block in one transaction (read committed), committed at its end.

    ``settings`` are statements (``SET LOCAL …``) that come with its beginning.
    """
    await be_a_task()
    with REACHABLE:
        async with pool.borrow(whose) as conn:
            wanted = standing_for(whose, conn.roles)
            told = changes(None if pool.pooler else conn.standing, wanted, "SET LOCAL")
            try:
                # One round trip; and no query before the block, which may want to choose another isolation level.
                await conn.execute("; ".join(one for one in ("BEGIN", told, settings) if one))
                yield cast("Connection", conn)
            except asyncpg.ReadOnlySQLTransactionError:
                conn.terminate()
                raise
            except BaseException:
                if not conn.is_closed():
                    await conn.execute("ROLLBACK")
                raise
            await conn.execute("COMMIT")


@contextmanager
def constraint_errors(errors: Mapping[str, Callable[[], DomainError]]):  # noqa: ANN201 (contextmanager infers it)
    """Raise the domain error named for the constraint that Postgres found broken."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as broken:
        make_error = errors.get(str(getattr(broken, "constraint_name", "")))
        if make_error is None:
            raise
        raise make_error() from broken
