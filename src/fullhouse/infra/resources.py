"""Everything outside the process that the product works with, opened once and handed to the roots.

The API and the workers each open one ``Resources`` and pass single fields on: a feature takes ``pool`` or ``clock``,
never the whole.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, cast

from asyncpg import CannotConnectNowError

from fullhouse.core.clock import Clock, Randomness
from fullhouse.core.ids import MakeId
from fullhouse.infra import system
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.mailer import Mailer, open_mailer
from fullhouse.infra.object_store import ObjectStore, open_object_store
from fullhouse.infra.postgres import Pool, open_pool

if TYPE_CHECKING:
    from valkey.asyncio import Valkey

RECOVERY_SECONDS_MAX = 60.0
ABSENCE_SECONDS_MAX = 3.0
START_POLL_SECONDS = 0.1
VALKEY_CONNECT_SECONDS_MAX = 2
VALKEY_ANSWER_SECONDS_MAX = 2
VALKEY_CONNECTIONS_MAX = 200


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts are. ``object_store_url`` and ``mail_url`` may be plain paths of folders.

    Without ``valkey_url``, nothing that is opened may ask Valkey.
    """

    database_url: str = field(repr=False)
    valkey_url: str | None = field(repr=False)
    broker_url: str = field(repr=False)
    object_store_url: str = field(repr=False)
    mail_url: str = field(repr=False)
    mail_from: str
    secret_key: bytes = field(repr=False)
    public_url: str
    database_pool_max: int = 20
    database_pooler: bool = False
    database_direct_url: str | None = field(default=None, repr=False)

    def lasting_url(self) -> str:
        """Return where connections last, other than behind a pooler; empty where that is not said."""
        return self.database_direct_url or ("" if self.database_pooler else self.database_url)


@dataclass(frozen=True, slots=True)
class Resources:
    """The open parts.

    ``valkey`` answers in bytes and gives up after two seconds. ``database_url`` is for the few connections that may not
    come from the pool, such as the one that listens; empty where a pooler stands before the database. ``secret_key``
    has at least 32 bytes; derive one key for each purpose from it with ``core.secrets.derive_key``. ``public_url`` has
    no slash at its end.
    """

    pool: Pool
    valkey: "Valkey"
    object_store: ObjectStore
    mailer: Mailer
    broker_url: str
    database_url: str = field(repr=False)
    secret_key: bytes = field(repr=False)
    public_url: str
    clock: Clock = system.now
    make_id: MakeId = system.make_id
    randomness: Randomness = system.randomness


@asynccontextmanager
async def open_resources(places: Places, *, application_name: str = "fullhouse") -> AsyncGenerator[Resources]:
    """Open all parts, and close them at the end. Valkey need not be there: it costs speed, not correctness.

    Raises ``OperatorError`` if the database cannot be reached or a URL makes no sense. A server that is recovering is
    waited for.
    """
    async with AsyncExitStack() as stack:
        try:
            object_store = open_object_store(places.object_store_url)
            mailer = open_mailer(places.mail_url, places.mail_from)
            valkey = open_valkey(places.valkey_url) if places.valkey_url else cast("Valkey", NoValkey())
        except ValueError as error:
            raise OperatorError(str(error)) from error
        stack.push_async_callback(valkey.aclose)
        try:
            pool = await _open_pool(places, application_name)
        except Exception as error:
            raise OperatorError(f"the database cannot be used: {str(error) or type(error).__name__}") from error
        stack.push_async_callback(pool.close)
        yield Resources(
            pool=pool,
            valkey=valkey,
            object_store=object_store,
            mailer=mailer,
            broker_url=places.broker_url,
            database_url=places.lasting_url(),
            secret_key=places.secret_key,
            public_url=places.public_url,
        )


async def _open_pool(places: Places, application_name: str) -> Pool:
    """Open the pool, and wait a little for a server that is starting: after a crash it comes up beside us."""
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    while True:
        try:
            return await open_pool(
                places.database_url,
                size_max=places.database_pool_max,
                application_name=application_name,
                pooler=places.database_pooler,
            )
        except (CannotConnectNowError, ConnectionRefusedError, FileNotFoundError) as error:
            recovers = isinstance(error, CannotConnectNowError)
            if loop.time() - started_at > (RECOVERY_SECONDS_MAX if recovers else ABSENCE_SECONDS_MAX):
                raise
        await asyncio.sleep(START_POLL_SECONDS)


class NoValkey:
    """Stands where nothing asks Valkey, so that its client is not even loaded. Whoever asks all the same is told."""

    def __getattr__(self, name: str) -> NoReturn:
        """Refuse every call."""
        raise OperatorError(f"FULLHOUSE_VALKEY_URL is needed here: Valkey is asked for {name!r}")

    async def aclose(self) -> None:
        """Close nothing."""


def open_valkey(url: str) -> "Valkey":
    """Make a client that connects when it is first used: of one server, or of a cluster by ``valkey+cluster://``.

    Raises ``ValueError`` for a URL that is none.
    """
    options: dict[str, Any] = {
        "socket_connect_timeout": VALKEY_CONNECT_SECONDS_MAX,
        "socket_timeout": VALKEY_ANSWER_SECONDS_MAX,
        "max_connections": VALKEY_CONNECTIONS_MAX,
        "health_check_interval": 30,
    }
    # Both are slow to load, and not needed by every process.
    if "+cluster://" in url:
        from fullhouse.infra.valkey_cluster import open_cluster  # noqa: PLC0415

        # It answers as the client of one server does to everything that the product asks.
        return cast("Valkey", cast("object", open_cluster(url, require_full_coverage=False, **options)))
    from valkey.asyncio import Valkey  # noqa: PLC0415

    # Two spellings of one protocol; the client knows both, but says so only of its own.
    return Valkey.from_url(url, **options)
