"""The program's sign-in to the embedded PostgreSQL: it owns nothing, so nothing is above row level security for it."""

from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg

from fullhouse.infra.migrate import connect, not_migrated
from fullhouse.infra.row_security import APP_ROLE, WORKER_ROLE
from fullhouse.infra.system import random_text

SIGN_IN = "fullhouse_program"


async def make_sign_in(owner_url: str) -> str:
    """Give the program a sign-in with a password that is new at each start, and return its URL.

    It is a member of the two roles and of nothing else. ``owner_url`` leads to a server of our own, migrated. Raises
    ``MigrationError``.
    """
    password = random_text()
    conn: Any = await connect(owner_url)
    try:
        async with conn.transaction():
            if not await conn.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", SIGN_IN):
                await conn.execute(f"CREATE ROLE {SIGN_IN} LOGIN NOINHERIT")
            # ALTER ROLE takes no parameters; the password has letters, digits, minus and underscore alone.
            await conn.execute(f"ALTER ROLE {SIGN_IN} PASSWORD '{password}'")
            await conn.execute(f"GRANT {APP_ROLE}, {WORKER_ROLE} TO {SIGN_IN}")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise not_migrated(error) from error
    finally:
        await conn.close()
    parts = urlsplit(owner_url)
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{SIGN_IN}:{quote(password)}@{place}").geturl()
