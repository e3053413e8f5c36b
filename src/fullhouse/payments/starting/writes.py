"""Writing down what providers answered to the calls that begin attempts."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from fullhouse.core.json import Json
from fullhouse.infra.postgres import Connection
from fullhouse.payments.queries import payment_of
from fullhouse.payments.rules import Payment


class Start(NamedTuple):
    """What a provider answered to the call for a payment."""

    payment_id: UUID
    reference: str
    next_step: Mapping[str, Json]


async def record_starts(conn: Connection, organization_id: UUID, starts: Sequence[Start]) -> dict[UUID, Payment]:
    """Write down what providers answered to calls, unless an earlier answer was written down. Returns what was written.

    What the buyer does next may hold a secret of the provider's; it is kept while the attempt is open, and no longer.
    Payments are locked in order of their ids, as by whoever settles several: a notice may be as fast as the answer.
    """
    rows = await conn.fetch(
        """
        WITH locked AS MATERIALIZED (
            SELECT payment_id FROM payments WHERE organization_id = $1 AND payment_id = ANY ($2::uuid[])
            ORDER BY payment_id FOR NO KEY UPDATE
        )
        UPDATE payments p SET provider_reference = coalesce(p.provider_reference, s.reference),
            next_step = CASE WHEN p.status = 'started' THEN s.next_step END
        FROM locked JOIN unnest($2::uuid[], $3::text[], $4::jsonb[]) AS s(payment_id, reference, next_step)
            USING (payment_id)
        WHERE p.organization_id = $1 AND p.payment_id = locked.payment_id AND p.next_step IS NULL RETURNING p.*
        """,
        organization_id,
        [one.payment_id for one in starts],
        [one.reference for one in starts],
        [one.next_step for one in starts],
    )
    return {row["payment_id"]: payment_of(row) for row in rows}
