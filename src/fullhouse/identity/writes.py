"""Writing users."""

from uuid import UUID

from fullhouse.infra.postgres import Connection


async def insert_user(conn: Connection, user_id: UUID, email: str, name: str) -> bool:
    """Enter a user. False where the address has one, who stays as they are."""
    tag = await conn.execute(
        "INSERT INTO users (user_id, email, name) VALUES ($1, $2, $3) ON CONFLICT (lower(email)) DO NOTHING",
        user_id,
        email,
        name,
    )
    return tag == "INSERT 0 1"
