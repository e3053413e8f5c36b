"""Reading who tickets are for, and what was answered."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.orders.persons.rules import Answer

UnitKey = tuple[int, int]
"""The line of an order, and the number of the unit in it."""


async def load_holders(
    conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]
) -> dict[UUID, dict[UnitKey, str]]:
    """Load the names of holders, by order, line and number; empty where none were given, or they were erased."""
    rows = await conn.fetch(
        """
        SELECT order_id, line_number, number, name FROM order_holders
        WHERE organization_id = $1 AND order_id = ANY ($2::uuid[])
        """,
        organization_id,
        order_ids,
    )
    found: dict[UUID, dict[UnitKey, str]] = {order_id: {} for order_id in order_ids}
    for row in rows:
        found[row["order_id"]][row["line_number"], row["number"]] = row["name"]
    return found


async def load_answers(conn: Connection, organization_id: UUID, order_id: UUID) -> tuple[Answer, ...]:
    """Load the answers of an order, those of the whole order first."""
    rows = await conn.fetch(
        """
        SELECT line_number, number, question, answer FROM order_answers
        WHERE organization_id = $1 AND order_id = $2 ORDER BY line_number, number, question
        """,
        organization_id,
        order_id,
    )
    return tuple(Answer(**dict(row)) for row in rows)
