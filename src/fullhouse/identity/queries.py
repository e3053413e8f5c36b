"""Reading users."""

from uuid import UUID

from fullhouse.identity.rules import User
from fullhouse.infra.postgres import Connection


async def load_user(conn: Connection, user_id: UUID) -> User | None:
    """Load a user, or None."""
    row = await conn.fetchrow("SELECT user_id, email, name, created_at FROM users WHERE user_id = $1", user_id)
    return None if row is None else User(**dict(row))


async def find_user(conn: Connection, email: str) -> User | None:
    """Find the user of a mail address in any case of its letters, or None."""
    row = await conn.fetchrow(
        "SELECT user_id, email, name, created_at FROM users WHERE lower(email) = lower($1)", email
    )
    return None if row is None else User(**dict(row))
