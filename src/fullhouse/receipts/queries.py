"""Reading receipts."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record
from fullhouse.pricing.tax_rows import TaxRow
from fullhouse.receipts.rules import Receipt, ReceiptLine


async def load_receipts(conn: Connection, organization_id: UUID, order_id: UUID) -> list[Receipt]:
    """List the receipt of an order and its credit notes, in the order of their numbers."""
    return await load_receipts_of_orders(conn, organization_id, [order_id])


async def load_receipts_of_orders(conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]) -> list[Receipt]:
    """List the same of several orders, in the order of their numbers."""
    rows = await conn.fetch(
        "SELECT * FROM receipts WHERE organization_id = $1 AND order_id = ANY ($2::uuid[]) ORDER BY year, number",
        organization_id,
        order_ids,
    )
    return [receipt_of(row) for row in rows]


async def list_receipts(
    conn: Connection, organization_id: UUID, after: tuple[int, int] | None, count_max: int
) -> Sequence[Receipt]:
    """List the receipts of an organization by number, from the one after ``after`` (year and number) on."""
    year, number = after or (None, None)
    rows = await conn.fetch(
        """
        SELECT * FROM receipts
        WHERE organization_id = $1 AND ($2::smallint IS NULL OR (year, number) > ($2, $3::bigint))
        ORDER BY year, number LIMIT $4
        """,
        organization_id,
        year,
        number,
        count_max,
    )
    return [receipt_of(row) for row in rows]


async def is_out_of_sale(conn: Connection, organization_id: UUID, refund_id: UUID) -> bool:
    """Say whether a refund gives back what was sold, and not money that bought nothing."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM ledger_entries
            WHERE organization_id = $1 AND refund_id = $2
              AND account IN ('sales', 'discounts', 'fees', 'absorbed_fees', 'taxes'))
        """,
        organization_id,
        refund_id,
    )
    return found


async def load_given_back(conn: Connection, organization_id: UUID, refund_id: UUID) -> tuple[int, dict[int, int]]:
    """Return how much of a refund is taxes, as the ledger has it, and how many units of each line it is for."""
    tax: int = await conn.fetchval(
        """
        SELECT coalesce(sum(amount_minor), 0)::bigint FROM ledger_entries
        WHERE organization_id = $1 AND refund_id = $2 AND account = 'taxes'
        """,
        organization_id,
        refund_id,
    )
    rows = await conn.fetch(
        """
        SELECT u.line_number, count(*) AS count FROM refunded_units r JOIN units u USING (organization_id, unit_id)
        WHERE r.organization_id = $1 AND r.refund_id = $2 GROUP BY u.line_number
        """,
        organization_id,
        refund_id,
    )
    return tax, {row["line_number"]: row["count"] for row in rows}


def receipt_of(row: Record) -> Receipt:
    """Build a receipt from its row."""
    return Receipt(
        organization_id=row["organization_id"],
        receipt_id=row["receipt_id"],
        kind="credit_note" if row["refund_id"] else "receipt",
        year=row["year"],
        number=row["number"],
        order_id=row["order_id"],
        refund_id=row["refund_id"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        issued_at=row["issued_at"],
        organization=row["organization"],
        event=row["event"],
        lines=tuple(ReceiptLine(**line) for line in row["lines"]),
        taxes=tuple(TaxRow(*tax) for tax in row["taxes"]),
    )


async def find_orders_with_receipts(conn: Connection, orders: Sequence[tuple[UUID, UUID]]) -> set[UUID]:
    """Return which of these orders, each named with its organization, have a receipt."""
    rows = await conn.fetch(
        """
        SELECT asked.order_id FROM unnest($1::uuid[], $2::uuid[]) AS asked(organization_id, order_id)
        CROSS JOIN LATERAL (
            SELECT FROM receipts t
            WHERE t.organization_id = asked.organization_id AND t.order_id = asked.order_id LIMIT 1
        ) AS found
        """,
        [organization_id for organization_id, _ in orders],
        [order_id for _, order_id in orders],
    )
    return {row["order_id"] for row in rows}
