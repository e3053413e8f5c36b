"""Bring a database to the schema of this version: Alembic runs migrations that are written as SQL.

A revision is ``migrations/versions/NNNN_name.py``, which names its predecessor and runs ``NNNN_name.sql``. Several
processes may migrate at once: an advisory lock lets one do it while the others wait and then find nothing to do.
"""

from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util import await_only

from fullhouse.infra.errors import OperatorError
from fullhouse.infra.postgres import Connection as Conn

LOCK_SECONDS_MAX = 5
STATEMENT_SECONDS_MAX = 300
TURN_SECONDS_MAX = 600
CONNECT_SECONDS_MAX = 10
_ADVISORY_LOCK = 0x46756C6C


class MigrationError(OperatorError):
    """The schema cannot be brought up to date; the text is one line for the person at the terminal."""


async def migrate(owner_url: str, folder: Path | None = None) -> list[str]:
    """Run what is missing and return the revisions that were run, oldest first.

    ``owner_url`` signs in as the owner of the tables; ``folder`` has other migrations than this version's. Raises
    ``MigrationError`` if the database cannot be reached, is newer than this program, or a migration fails (its
    transaction then left nothing behind).
    """
    driver: Any = asyncpg  # it carries few types

    async def connect() -> Any:  # noqa: ANN401  # the same
        return await driver.connect(owner_url, timeout=CONNECT_SECONDS_MAX)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_migrate, folder or migrations_folder())
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError) as error:
        raise MigrationError(f"the database was not migrated: {_one_line(error)}") from error
    except (CommandError, RevisionError) as error:
        raise MigrationError(f"the database does not fit this version of Fullhouse: {error}") from error
    finally:
        await engine.dispose()


async def missing_revisions(conn: Conn) -> list[str]:
    """Return the revisions that this program has and the database has not, oldest first; changes nothing."""
    has_table = await conn.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL")
    current = await conn.fetchval("SELECT version_num FROM alembic_version") if has_table else None
    return _revisions_after(_config(migrations_folder()), current)


def run_sql_beside(revision_file: str) -> None:
    """Run the SQL file of a revision, given the revision's ``__file__``, in the transaction of its migration."""
    from alembic import op  # noqa: PLC0415  # a proxy that exists only while a migration runs

    script = Path(revision_file).with_suffix(".sql").read_text(encoding="utf-8")
    bind = op.get_bind()
    bind.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS_MAX}s'"))
    bind.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS_MAX}s'"))
    # The driver itself takes several statements at once; the layer above it takes one.
    driver: Any = bind.connection.driver_connection
    await_only(driver.execute(script))


def migrations_folder() -> Path:
    """Find the migrations: inside the installed package, or beside ``src`` in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parents[1] / "migrations"


def _migrate(connection: Connection, folder: Path) -> list[str]:
    connection.execute(text(f"SET lock_timeout = '{TURN_SECONDS_MAX}s'"))
    connection.execute(text(f"SELECT pg_advisory_lock({_ADVISORY_LOCK})"))
    connection.commit()
    try:
        config = _config(folder, connection)
        before = _current(connection)
        command.upgrade(config, "head")
        return _revisions_after(config, before)
    finally:
        connection.rollback()
        connection.execute(text(f"SELECT pg_advisory_unlock({_ADVISORY_LOCK})"))
        connection.commit()


def _config(folder: Path, connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _current(connection: Connection) -> str | None:
    known = connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    revision = connection.scalar(text("SELECT version_num FROM alembic_version")) if known else None
    connection.rollback()
    return revision


def _revisions_after(config: Config, current: str | None) -> list[str]:
    scripts = ScriptDirectory.from_config(config)
    try:
        found = [script.revision for script in scripts.iterate_revisions("head", current or "base")]
    except (CommandError, RevisionError) as error:
        raise MigrationError(f"the database does not fit this version of Fullhouse: {error}") from error
    return [revision for revision in reversed(found) if revision != current]


def _one_line(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return (str(cause) or type(cause).__name__).strip().splitlines()[0]
