"""Writing the keys that sign access tokens."""

from datetime import datetime

from fullhouse.infra.postgres import Connection

_SIGNING_KEYS_LOCK = 0x46484B657973
"""The advisory lock of whoever changes the signing keys ("FHKeys")."""


async def lock_signing_keys(conn: Connection) -> None:
    """Keep others from changing the signing keys until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _SIGNING_KEYS_LOCK)


async def insert_signing_key(
    conn: Connection, key_id: str, public_key: bytes, sealed: bytes, ahead_seconds: int
) -> datetime:
    """Enter a key that signs after some seconds. Return when."""
    signs_from: datetime = await conn.fetchval(
        """
        INSERT INTO signing_keys (key_id, public_key, sealed_private_key, signs_from)
        VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4)) RETURNING signs_from
        """,
        key_id,
        public_key,
        sealed,
        ahead_seconds,
    )
    return signs_from


async def end_signing_keys(conn: Connection, newest_key_id: str, until: datetime) -> None:
    """Let all keys but the newest verify until an instant; those that have an end keep it."""
    await conn.execute(
        "UPDATE signing_keys SET verifies_until = $2 WHERE key_id <> $1 AND verifies_until IS NULL",
        newest_key_id,
        until,
    )


async def delete_signing_key(conn: Connection, key_id: str) -> bool:
    """Delete a key. False where there is none."""
    tag = await conn.execute("DELETE FROM signing_keys WHERE key_id = $1", key_id)
    return tag == "DELETE 1"


async def delete_old_signing_keys(conn: Connection) -> int:
    """Delete the keys of which no token can be alive."""
    tag = await conn.execute("DELETE FROM signing_keys WHERE verifies_until < clock_timestamp()")
    return int(tag.split()[-1])
