"""Reading the books: statements of accounts, and lines of the ledger by page."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record
from fullhouse.reports.rules import AccountLine, LedgerLine, Scope


async def load_statement(conn: Connection, scope: Scope) -> list[AccountLine]:
    """Sum the ledger by account and currency: before the span, and what went in and out during it.

    Accounts on which nothing was ever entered are not listed.
    """
    rows = await conn.fetch(
        """
        SELECT account, currency,
               coalesce(sum(amount_minor) FILTER (WHERE entered_at < $4), 0)::bigint AS opening_minor,
               coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0 AND ($4::timestamptz IS NULL
                   OR entered_at >= $4)), 0)::bigint AS received_minor,
               coalesce(-sum(amount_minor) FILTER (WHERE amount_minor < 0 AND ($4::timestamptz IS NULL
                   OR entered_at >= $4)), 0)::bigint AS given_minor
        FROM ledger_entries
        WHERE organization_id = $1 AND ($2::uuid IS NULL OR event_id = $2) AND ($3::uuid IS NULL OR session_id = $3)
          AND ($5::timestamptz IS NULL OR entered_at < $5)
        GROUP BY account, currency ORDER BY currency, account
        """,
        scope.organization_id,
        scope.event_id,
        scope.session_id,
        scope.since,
        scope.until,
    )
    return [
        AccountLine(row["account"], row["currency"], row["opening_minor"], row["received_minor"], row["given_minor"])
        for row in rows
    ]


async def list_ledger_lines(
    conn: Connection, scope: Scope, after: tuple[datetime, UUID, int] | None, count_max: int
) -> Sequence[LedgerLine]:
    """List lines of the ledger, the oldest first, from the one after ``after`` on."""
    at, entry_id, line = after or (None, None, None)
    rows = await conn.fetch(
        """
        SELECT entry_id, line, account, amount_minor, currency, order_id, payment_id, refund_id, dispute_id, event_id,
               session_id, entered_at
        FROM ledger_entries
        WHERE organization_id = $1 AND ($2::uuid IS NULL OR event_id = $2) AND ($3::uuid IS NULL OR session_id = $3)
          AND ($4::timestamptz IS NULL OR entered_at >= $4) AND ($5::timestamptz IS NULL OR entered_at < $5)
          AND ($6::timestamptz IS NULL OR (entered_at, entry_id, line) > ($6, $7::uuid, $8::smallint))
        ORDER BY entered_at, entry_id, line LIMIT $9
        """,
        scope.organization_id,
        scope.event_id,
        scope.session_id,
        scope.since,
        scope.until,
        at,
        entry_id,
        line,
        count_max,
    )
    return [ledger_line_of(row) for row in rows]


def ledger_line_of(row: Record) -> LedgerLine:
    """Build a line from its row."""
    return LedgerLine(
        entry_id=row["entry_id"],
        line=row["line"],
        account=row["account"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        order_id=row["order_id"],
        payment_id=row["payment_id"],
        refund_id=row["refund_id"],
        dispute_id=row["dispute_id"],
        event_id=row["event_id"],
        session_id=row["session_id"],
        entered_at=row["entered_at"],
    )
