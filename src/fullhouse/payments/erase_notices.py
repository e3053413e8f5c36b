"""Emptying what providers wrote about payments: it may name who paid."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.infra.postgres import Connection


async def erase_notices(conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]) -> None:
    """Keep of notices and ended attempts of these orders what they came to, and not what was written in them."""
    await conn.execute(
        """
        WITH emptied AS (
            UPDATE payments SET request = '{}', next_step = NULL
            WHERE organization_id = $1 AND order_id = ANY ($2) AND ended_at IS NOT NULL
        )
        UPDATE payment_notices SET body = '{}'
        WHERE organization_id = $1 AND applied_at IS NOT NULL AND payment_id IN (
            SELECT payment_id FROM payments WHERE organization_id = $1 AND order_id = ANY ($2)
        )
        """,
        organization_id,
        order_ids,
    )
