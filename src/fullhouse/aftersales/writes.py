"""Writing which units were refunded."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.infra.postgres import Connection


async def insert_refunded_units(
    conn: Connection, organization_id: UUID, order_id: UUID, unit_ids: Sequence[UUID], *, stock_returned: bool
) -> None:
    """Write down that units were refunded, and whether their stock went back. The key refuses a second time."""
    await conn.execute(
        """
        INSERT INTO refunded_units (organization_id, unit_id, order_id, stock_returned)
        SELECT $1, u, $2, $4 FROM unnest($3::uuid[]) AS u
        """,
        organization_id,
        order_id,
        unit_ids,
        stock_returned,
    )


async def name_refund(conn: Connection, organization_id: UUID, unit_ids: Sequence[UUID], refund_id: UUID) -> None:
    """Write down which refund gave the money of units back; the first, where several payments did."""
    await conn.execute(
        "UPDATE refunded_units SET refund_id = $3 WHERE organization_id = $1 AND unit_id = ANY ($2)",
        organization_id,
        unit_ids,
        refund_id,
    )
