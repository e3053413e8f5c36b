"""Writing receipts, each with the next number."""

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


async def insert_receipt(conn: Connection, new: Receipt) -> Receipt:
    """Write a receipt with the number after the last of this year (UTC). The caller holds the lock of numbers.

    ``new`` says all but year, number and instant. A number that is rolled back is the next one's.
    """
    row = await conn.fetchrow(
        """
        INSERT INTO receipts (organization_id, receipt_id, year, number, order_id, refund_id, amount_minor, currency,
                              issued_at, organization, event, lines, taxes)
        SELECT $1, $2, this.year, coalesce((
                   SELECT max(r.number) FROM receipts r WHERE r.organization_id = $1 AND r.year = this.year), 0) + 1,
               $3, $4, $5, $6, this.at, $7, $8, $9, $10
        FROM (SELECT now AS at, extract(year FROM now AT TIME ZONE 'UTC')::smallint AS year
              FROM clock_timestamp() AS now) AS this
        RETURNING *
        """,
        new.organization_id,
        new.receipt_id,
        new.order_id,
        new.refund_id,
        new.amount_minor,
        new.currency,
        new.organization,
        new.event,
        [asdict(line) for line in new.lines],
        [list(tax) for tax in new.taxes],
    )
    assert row is not None  # noqa: S101 (an INSERT that returns gives a row or raises)
    return receipt_of(row)
