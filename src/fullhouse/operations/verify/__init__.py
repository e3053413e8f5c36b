"""``fullhouse verify``: one query or more for each promise, on the live database; the rows that break it are shown.

All checks see one snapshot, so a sale that runs beside them breaks nothing. What may take a moment (a ticket after a
payment, say) is only missed when its time is over.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, Record, transaction
from fullhouse.operations.verify.audit_checks import AUDIT_CHECKS
from fullhouse.operations.verify.check import Check
from fullhouse.operations.verify.door_checks import DOOR_CHECKS
from fullhouse.operations.verify.message_checks import MESSAGE_CHECKS
from fullhouse.operations.verify.money_checks import MONEY_CHECKS
from fullhouse.operations.verify.order_checks import ORDER_CHECKS
from fullhouse.operations.verify.refund_checks import REFUND_CHECKS
from fullhouse.operations.verify.stock_checks import STOCK_CHECKS
from fullhouse.operations.verify.wall_checks import WALL_CHECKS

CHECKS: Sequence[Check] = (
    *STOCK_CHECKS,
    *MONEY_CHECKS,
    *REFUND_CHECKS,
    *ORDER_CHECKS,
    *MESSAGE_CHECKS,
    *DOOR_CHECKS,
    *WALL_CHECKS,
    *AUDIT_CHECKS,
)
"""Every check, those of one subject together."""

ROWS_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """A promise that is broken: which, by which check, by how many rows, and the first of them."""

    promise: int
    check: str
    says: str
    row_count: int
    rows: Sequence[dict[str, Any]]


async def verify(pool: Pool, *, idle: bool = False, on_check: Callable[[Check], None] | None = None) -> list[Finding]:
    """Run every check on one snapshot, and return what is broken; an empty list means that all promises hold.

    ``idle`` says that nothing is under way any more: then whatever may take a moment must be done. ``on_check`` is
    called before each check.
    """
    findings: list[Finding] = []
    async with transaction(pool, EVERY_ORGANIZATION) as conn:
        await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for check in CHECKS:
            if on_check is not None:
                on_check(check)
            query = "SELECT *, count(*) OVER () AS row_count FROM (" + check.query + ") AS broken LIMIT 20"
            rows = await conn.fetch(query, *check.arguments(0.0 if idle else 1.0))
            if rows:
                findings.append(_finding(check, rows))
    return findings


def _finding(check: Check, rows: Sequence[Record]) -> Finding:
    shown = [{name: value for name, value in row.items() if name != "row_count"} for row in rows[:ROWS_SHOWN_MAX]]
    return Finding(check.promise, check.name, check.says, rows[0]["row_count"], shown)
