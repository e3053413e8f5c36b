"""Writing how a refund ended that its provider did not do."""

from fullhouse.infra.postgres import Connection
from fullhouse.payments.queries import refund_of
from fullhouse.payments.rules import Refund, RefundStatus


async def record_ended_otherwise(
    conn: Connection, refund: Refund, status: RefundStatus, otherwise_reference: str | None
) -> Refund:
    """Write that nothing of a refund is owed any more, though its provider has not done it."""
    row = await conn.fetchrow(
        """
        UPDATE refunds SET status = $3, otherwise_reference = $4, retry_at = NULL, ended_at = clock_timestamp(),
            past_references = past_references || array_remove(ARRAY[provider_reference], NULL),
            provider_reference = NULL
        WHERE organization_id = $1 AND refund_id = $2 RETURNING *
        """,
        refund.organization_id,
        refund.refund_id,
        status.value,
        otherwise_reference,
    )
    assert row is not None  # noqa: S101 (refunds are never deleted)
    return refund_of(row)
