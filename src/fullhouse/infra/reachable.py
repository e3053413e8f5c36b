"""What tells a database that cannot be reached from a statement that failed."""

# asyncpg carries few types, as in ``pool``.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
from contextlib import AbstractContextManager
from types import TracebackType

import asyncpg

from fullhouse.core.errors import Unavailable


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
    # The server has become a replica. The connection is closed, and the next one looks for the server that is none.
    asyncpg.ReadOnlySQLTransactionError,
    ConnectionError,
    FileNotFoundError,  # the socket of a server that has gone
    asyncio.TimeoutError,
)


class Reachable(AbstractContextManager[None]):
    """A block in which errors of a server that is gone, or that gives up, become ``DatabaseUnavailable``."""

    __slots__ = ()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and isinstance(error, _LOST):
            raise DatabaseUnavailable(retry_after_seconds=1) from error


REACHABLE = Reachable()
