"""Writing second factors and their recovery codes."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.infra.postgres import Connection


async def replace_unconfirmed_factor(conn: Connection, user_id: UUID, sealed_secret: bytes) -> bool:
    """Store a second factor that is not confirmed yet. False where one is confirmed already."""
    tag = await conn.execute(
        """
        INSERT INTO second_factors (user_id, sealed_secret) VALUES ($1, $2)
        ON CONFLICT (user_id) DO UPDATE SET sealed_secret = excluded.sealed_secret, last_step = 0,
            created_at = clock_timestamp()
        WHERE second_factors.confirmed_at IS NULL
        """,
        user_id,
        sealed_secret,
    )
    return tag == "INSERT 0 1"


async def confirm_factor(conn: Connection, user_id: UUID, step: int) -> bool:
    """Switch a second factor on by its first code. False where there is none that waits."""
    tag = await conn.execute(
        """
        UPDATE second_factors SET confirmed_at = clock_timestamp(), last_step = $2
        WHERE user_id = $1 AND confirmed_at IS NULL
        """,
        user_id,
        step,
    )
    return tag == "UPDATE 1"


async def use_step(conn: Connection, user_id: UUID, step: int) -> bool:
    """Take the code of a step. False where that step, or a later one, was taken before."""
    tag = await conn.execute(
        """
        UPDATE second_factors SET last_step = $2
        WHERE user_id = $1 AND last_step < $2 AND confirmed_at IS NOT NULL
        """,
        user_id,
        step,
    )
    return tag == "UPDATE 1"


async def use_recovery_code(conn: Connection, user_id: UUID, code_hash: bytes) -> bool:
    """Use a recovery code up. False for one that is not known or was used."""
    tag = await conn.execute(
        """
        UPDATE recovery_codes SET used_at = clock_timestamp()
        WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL
        """,
        user_id,
        code_hash,
    )
    return tag == "UPDATE 1"


async def replace_recovery_codes(conn: Connection, user_id: UUID, hashes: Sequence[bytes]) -> None:
    """Store new recovery codes; those before open nothing."""
    await conn.execute("DELETE FROM recovery_codes WHERE user_id = $1", user_id)
    await conn.execute(
        "INSERT INTO recovery_codes (user_id, code_hash) SELECT $1, unnest($2::bytea[])", user_id, hashes
    )


async def delete_second_factor(conn: Connection, user_id: UUID) -> bool:
    """Delete a user's second factor with its recovery codes. False where there was none."""
    await conn.execute("DELETE FROM recovery_codes WHERE user_id = $1", user_id)
    tag = await conn.execute("DELETE FROM second_factors WHERE user_id = $1", user_id)
    return tag == "DELETE 1"
