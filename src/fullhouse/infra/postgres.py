"""Postgres: pools, transactions, and constraints turned into domain errors.

SQL is written as literals; the protocols below accept nothing else, so a built string fails the type check.
"""

# asyncpg carries few types, so this file, the only one that calls it, says less strictly what it gets from it.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, LiteralString, Protocol, cast

import asyncpg

from fullhouse.core.errors import DomainError, Unavailable

Record = Mapping[str, Any]
"""A row: columns by name."""

Pool = asyncpg.Pool

IntegrityError = asyncpg.IntegrityConstraintViolationError
"""A constraint was broken; nothing of the statement was written."""

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
    url: str, *, size_min: int = 1, size_max: int = 10, application_name: str = "fullhouse", pooler: bool = False
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
    return await asyncpg.create_pool(
        url,
        min_size=size_min,
        max_size=size_max,
        init=prepare_connection,
        reset=_leave_as_it_is,
        command_timeout=STATEMENT_SECONDS_MAX + 5,
        max_inactive_connection_lifetime=300,
        statement_cache_size=0 if pooler else _STATEMENTS_KEPT,
        server_settings={"application_name": application_name, "timezone": "UTC", **({} if pooler else limits)},
    )


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


async def prepare_connection(conn: asyncpg.Connection) -> None:
    """Teach a new connection that ``json`` and ``jsonb`` are Python values."""
    for name in ("json", "jsonb"):
        await conn.set_type_codec(name, encoder=_to_json, decoder=json.loads, schema="pg_catalog")


async def _leave_as_it_is(_conn: asyncpg.Connection) -> None:
    """Save the statement that the driver would send after each use: nothing of ours outlasts its transaction.

    A transaction that was left open is rolled back all the same, before this.
    """


_to_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


@asynccontextmanager
async def connection(pool: Pool) -> AsyncGenerator[Connection]:
    """Borrow a connection for statements that each commit by themselves."""
    with _reachable():
        async with pool.acquire() as conn:
            yield cast("Connection", conn)


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncGenerator[Connection]:
    """Borrow a connection and run the block in one transaction (read committed), committed at its end."""
    with _reachable():
        async with pool.acquire() as conn, conn.transaction():
            yield cast("Connection", conn)


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


class DatabaseUnavailable(Unavailable):
    """Postgres cannot be reached, or gave up on a statement."""

    code = "database_unavailable"
    title = "The database cannot be reached for the moment."


_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.DeadlockDetectedError,
    ConnectionError,
    FileNotFoundError,  # the socket of a server that has gone
    asyncio.TimeoutError,
)


@contextmanager
def _reachable():  # noqa: ANN202 (contextmanager infers it)
    try:
        yield
    except _LOST as lost:
        raise DatabaseUnavailable(retry_after_seconds=1) from lost
