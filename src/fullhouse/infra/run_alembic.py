"""Alembic's side of migrating: one process at a time, each revision in a transaction with limits of its own."""

from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util import await_only

from fullhouse.infra.migrate import MigrationError, connect, not_migrated, revisions

LOCK_SECONDS_MAX = 5
STATEMENT_SECONDS_MAX = 300
TURN_SECONDS_MAX = 600
_ADVISORY_LOCK = 0x46756C6C


async def upgrade(owner_url: str, folder: Path) -> list[str]:
    """Run what is missing and return the revisions that were run, oldest first. Raises ``MigrationError``."""

    async def creator() -> Any:  # noqa: ANN401  # the driver carries few types
        return await connect(owner_url)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=creator, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_upgrade, folder)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError) as error:
        raise not_migrated(error) from error
    except CommandError as error:
        raise MigrationError(f"the migrations do not fit together: {error}") from error
    finally:
        await engine.dispose()


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


def _upgrade(connection: Connection, folder: Path) -> list[str]:
    connection.execute(text(f"SET lock_timeout = '{TURN_SECONDS_MAX}s'"))
    connection.execute(text(f"SELECT pg_advisory_lock({_ADVISORY_LOCK})"))
    connection.commit()
    try:
        before = _current(connection)
        command.upgrade(_config(folder, connection), "head")
        return [revision for revision in revisions(folder) if before is None or revision > before]
    finally:
        connection.rollback()
        connection.execute(text(f"SELECT pg_advisory_unlock({_ADVISORY_LOCK})"))
        connection.commit()


def _config(folder: Path, connection: Connection) -> Config:
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
