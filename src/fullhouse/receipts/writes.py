"""Writing receipts, each with the next number."""

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.receipts.queries import receipt_of
from fullhouse.receipts.rules import Receipt


async def lock_numbers(conn: Connection, organization_id: UUID) -> None:
    """Let one transaction at a time give out numbers of an organization; the next one sees what it gave out."""
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('receipts of ' || $1::text, 0))", str(organization_id)
    )


async def insert_receipts(conn: Connection, organization_id: UUID, new: Sequence[Receipt]) -> list[Receipt]:
    """Write receipts with the numbers after the last of this year (UTC). The caller holds the lock of numbers.

    ``new`` say all but year, number and instant. Numbers that are rolled back are given out again.
    """
    rows = await conn.fetch(
        """
        WITH this AS MATERIALIZED (
            SELECT now AS at, extract(year FROM now AT TIME ZONE 'UTC')::smallint AS year FROM clock_timestamp() AS now
        ), last AS (
            SELECT coalesce(max(r.number), 0) AS number FROM receipts r
            WHERE r.organization_id = $1 AND r.year = (SELECT year FROM this)
        )
        INSERT INTO receipts (organization_id, receipt_id, year, number, order_id, refund_id, amount_minor, currency,
                              issued_at, organization, event, lines, taxes)
        SELECT $1, n.receipt_id, this.year, last.number + n.ordinal, n.order_id, n.refund_id, n.amount_minor,
               n.currency, this.at, n.organization, n.event, n.says -> 'lines', n.says -> 'taxes'
        FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::jsonb[])
            WITH ORDINALITY AS n(receipt_id, order_id, refund_id, amount_minor, currency, organization, event, says,
                                 ordinal),
            this, last
        RETURNING *
        """,
        organization_id,
        [one.receipt_id for one in new],
        [one.order_id for one in new],
        [one.refund_id for one in new],
        [one.amount_minor for one in new],
        [one.currency for one in new],
        [one.organization for one in new],
        [one.event for one in new],
        [{"lines": [asdict(line) for line in one.lines], "taxes": [list(tax) for tax in one.taxes]} for one in new],
    )
    return [receipt_of(row) for row in rows]
