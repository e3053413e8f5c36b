"""Reading codes and their uses, without locks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record
from fullhouse.pricing.codes import Code, CodeTerms
from fullhouse.pricing.rules import FeePer


async def load_code(conn: Connection, organization_id: UUID, code_id: UUID) -> Code | None:
    """Load a code by its id."""
    row = await conn.fetchrow(
        "SELECT * FROM codes WHERE organization_id = $1 AND code_id = $2", organization_id, code_id
    )
    return code_of(row) if row else None


async def find_code(conn: Connection, organization_id: UUID, code: str) -> tuple[Code, datetime] | None:
    """Find a code by its letters, as ``normal_code`` writes them, and the database's time."""
    row = await conn.fetchrow(
        "SELECT c.*, clock_timestamp() AS now FROM codes c WHERE organization_id = $1 AND code = $2",
        organization_id,
        code,
    )
    return (code_of(row), row["now"]) if row else None


async def list_codes(conn: Connection, organization_id: UUID, after: UUID | None, count_max: int) -> list[Code]:
    """List an organization's codes, the newest first."""
    rows = await conn.fetch(
        """
        SELECT * FROM codes WHERE organization_id = $1 AND ($2::uuid IS NULL OR code_id < $2)
        ORDER BY code_id DESC LIMIT $3
        """,
        organization_id,
        after,
        count_max,
    )
    return [code_of(row) for row in rows]


@dataclass(frozen=True, slots=True)
class CodeUse:
    """An order that used a code, and when it gave the use back, if it did."""

    order_id: UUID
    used_at: datetime
    returned_at: datetime | None


async def list_uses(
    conn: Connection, organization_id: UUID, code_id: UUID, after: UUID | None, count_max: int
) -> Sequence[CodeUse]:
    """List the orders that used a code, the newest first."""
    rows = await conn.fetch(
        """
        SELECT order_id, used_at, returned_at FROM code_uses
        WHERE organization_id = $1 AND code_id = $2 AND ($3::uuid IS NULL OR order_id < $3)
        ORDER BY order_id DESC LIMIT $4
        """,
        organization_id,
        code_id,
        after,
        count_max,
    )
    return [CodeUse(row["order_id"], row["used_at"], row["returned_at"]) for row in rows]


def code_of(row: Record) -> Code:
    """Build a code from its row."""
    return Code(
        organization_id=row["organization_id"],
        code_id=row["code_id"],
        terms=CodeTerms(
            code=row["code"],
            note=row["note"],
            event_id=row["event_id"],
            session_ids=frozenset(row["session_ids"]),
            ticket_type_ids=frozenset(row["ticket_type_ids"]),
            rate=row["rate"],
            amount_minor=row["amount_minor"],
            per=FeePer(row["per"]),
            currency=row["currency"],
            uses_max=row["uses_max"],
            per_buyer_max=row["per_buyer_max"],
            valid_from=row["valid_from"],
            valid_until=row["valid_until"],
            enabled=row["enabled"],
        ),
        use_count=row["use_count"],
        created_at=row["created_at"],
    )
