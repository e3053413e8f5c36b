"""Using a code: counted under its lock when an order is placed, and given back once when the order ends unpaid."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.pricing import code_writes
from fullhouse.pricing.codes import Code, CodeNotValid


async def lock_code(conn: Connection, organization_id: UUID, code_id: UUID) -> Code:
    """Lock a code that may be used once more. Raises ``CodeNotValid`` where none is left.

    Comes after the locks of stock and order: whoever holds a code waits for nothing else.
    """
    code = await code_writes.lock_code(conn, organization_id, code_id)
    if code is None or not code.is_left:
        raise CodeNotValid
    return code


async def count_use(conn: Connection, code: Code, order_id: UUID) -> None:
    """Count the use of a locked code by an order."""
    await code_writes.insert_use(conn, code.organization_id, code.code_id, order_id)


async def return_uses(conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]) -> None:
    """Give back what orders that ended unpaid used of codes, each once. The caller has locked the orders."""
    if order_ids:
        await code_writes.return_uses(conn, organization_id, order_ids)


async def use_again(conn: Connection, organization_id: UUID, order_id: UUID) -> None:
    """Count the use of an order again that gave it back: its money came late, and buys what was agreed.

    The limit does not stand in the way: the code may then be used more often than it says.
    """
    await code_writes.use_again(conn, organization_id, order_id)
