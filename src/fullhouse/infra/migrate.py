"""Bring a database to the schema of this version: Alembic runs migrations that are written as SQL.

A revision is ``migrations/versions/NNNN_name.py``, which names its predecessor and runs ``NNNN_name.sql``; it is called
``NNNN``. Several processes may migrate at once: an advisory lock lets one do it while the others wait and then find
nothing to do.
"""

from pathlib import Path
from typing import Any

import asyncpg

from fullhouse.infra.errors import OperatorError
from fullhouse.infra.postgres import NO_ORGANIZATION, Connection, Pool, connection

CONNECT_SECONDS_MAX = 10


class MigrationError(OperatorError):
    """The schema cannot be brought up to date; the text is one line for the person at the terminal."""


async def migrate(owner_url: str, folder: Path | None = None) -> list[str]:
    """Run what is missing and return the revisions that were run, oldest first.

    Then every table gets its row level security, as ``row_security.sql`` beside the migrations says; what has it
    already is left alone. ``owner_url`` signs in as the owner of the tables; ``folder`` has other migrations than this
    version's. Raises ``MigrationError`` if the database cannot be reached, is newer than this program, or a migration
    fails (its transaction then left nothing behind).
    """
    place = folder or migrations_folder()
    ran: list[str] = []
    if await _missing(owner_url, place):
        # Alembic and what it stands on take as long to load as all the rest, and most starts have nothing to migrate.
        from fullhouse.infra.run_alembic import upgrade  # noqa: PLC0415

        ran = await upgrade(owner_url, place)
    await _guard_rows(owner_url, place)
    return ran


async def missing_revisions(conn: Connection, folder: Path | None = None) -> list[str]:
    """Return the revisions that this program has and the database has not, oldest first; changes nothing.

    Raises ``MigrationError`` if the database has a revision that this program does not know.
    """
    current = await _current_revision(conn)
    known = revisions(folder or migrations_folder())
    if current is None:
        return known
    if current not in known:
        raise MigrationError(f"the database has revision {current}, which this version of Fullhouse does not know")
    return known[known.index(current) + 1 :]


async def require_schema(pool: Pool) -> None:
    """Raise ``MigrationError`` if the database lacks a revision of this version.

    A newer schema will do: each migration leaves the last version able to go on, and start again, while it is replaced.
    """
    async with connection(pool, NO_ORGANIZATION) as conn:
        current = await _current_revision(conn)
    known = revisions(migrations_folder())
    lacking = known if current is None else [revision for revision in known if revision > current]
    if lacking:
        raise MigrationError(f"the database lacks revision {lacking[0]}; run 'fullhouse migrate'")


def revisions(folder: Path) -> list[str]:
    """Return the names of all revisions in a folder of migrations, oldest first."""
    return sorted(path.stem.partition("_")[0] for path in (folder / "versions").glob("[0-9]*.sql"))


def migrations_folder() -> Path:
    """Find the migrations: inside the installed package, or beside ``src`` in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parents[1] / "migrations"


async def connect(owner_url: str) -> Any:  # noqa: ANN401  # the driver carries few types
    """Open a connection, or raise ``MigrationError``."""
    driver: Any = asyncpg
    try:
        return await driver.connect(owner_url, timeout=CONNECT_SECONDS_MAX)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise not_migrated(error) from error


def not_migrated(error: BaseException) -> MigrationError:
    """Say in one line what Postgres, or the way to it, has against it."""
    cause = getattr(error, "orig", None) or error
    text = (str(cause) or type(cause).__name__).strip().splitlines()[0]
    return MigrationError(f"the database was not migrated: {text}")


async def _current_revision(conn: Connection) -> str | None:
    has_table = await conn.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL")
    return await conn.fetchval("SELECT version_num FROM alembic_version") if has_table else None


async def _guard_rows(owner_url: str, folder: Path) -> None:
    script = (folder / "row_security.sql").read_text(encoding="utf-8")
    conn = await connect(owner_url)
    try:
        # Who does not own the tables finds them guarded by who does.
        if await conn.fetchval(
            "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'alembic_version'::regclass"
        ):
            async with conn.transaction():
                await conn.execute(script)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise not_migrated(error) from error
    finally:
        await conn.close()


async def _missing(owner_url: str, folder: Path) -> list[str]:
    conn = await connect(owner_url)
    try:
        return await missing_revisions(conn, folder)
    finally:
        await conn.close()
