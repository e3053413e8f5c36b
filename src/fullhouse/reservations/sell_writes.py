"""Locking what is sold together. Private to this feature; lock order: stock, seats by index, reservation."""

from collections.abc import Collection, Sequence
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record


async def lock_all_with_stock(
    conn: Connection, organization_id: UUID, session_ids: Collection[UUID], reservation_ids: Sequence[UUID]
) -> list[Record]:
    """Lock the stock of several sessions, in order of their ids, then those of their reservations that are held."""
    await conn.execute(
        """
        SELECT FROM stock WHERE organization_id = $1 AND session_id = ANY ($2::uuid[]) ORDER BY session_id FOR UPDATE
        """,
        organization_id,
        session_ids,
    )
    return await conn.fetch(
        """
        SELECT * FROM reservations
        WHERE organization_id = $1 AND reservation_id = ANY ($2::uuid[]) AND session_id = ANY ($3::uuid[])
          AND status = 'held'
        ORDER BY reservation_id FOR UPDATE
        """,
        organization_id,
        reservation_ids,
        session_ids,
    )
