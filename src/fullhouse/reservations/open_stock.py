"""Opening the stock of a new session, and closing that of one that never sold."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.reservations import writes
from fullhouse.reservations.rules import NewQuota


async def open_stock(
    conn: Connection,
    organization_id: UUID,
    session_id: UUID,
    *,
    quotas: Sequence[NewQuota],
    seat_map_id: UUID | None = None,
    seat_count: int = 0,
) -> None:
    """Open counters, and a row for each seat of the map, in the transaction that makes the session."""
    await writes.insert_stock(conn, organization_id, session_id, seat_map_id, seat_count)
    await writes.insert_quotas(conn, organization_id, session_id, quotas)


async def close_stock(conn: Connection, organization_id: UUID, session_id: UUID) -> bool:
    """Delete the stock of a session of which nothing was ever held. False means that something was: nothing changed.

    Raises ``SessionNotFound``.
    """
    await writes.lock_stock(conn, organization_id, session_id)
    return await writes.delete_stock(conn, organization_id, session_id)
