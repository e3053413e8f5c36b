"""Writing which orders were erased."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.infra.postgres import Connection


async def note_erased(conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]) -> None:
    """Note that the buyer of these orders was erased; their documents follow."""
    await conn.execute(
        """
        INSERT INTO erased_orders (organization_id, order_id) SELECT $1, unnest($2::uuid[])
        ON CONFLICT (organization_id, order_id) DO UPDATE SET erased_at = clock_timestamp(), swept_at = NULL
        """,
        organization_id,
        order_ids,
    )


async def note_swept(conn: Connection, organization_id: UUID, order_id: UUID) -> None:
    """Note that nothing is left of an order's documents."""
    await conn.execute(
        "UPDATE erased_orders SET swept_at = clock_timestamp() WHERE organization_id = $1 AND order_id = $2",
        organization_id,
        order_id,
    )
