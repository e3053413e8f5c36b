"""Correcting the address that an order's mails go to."""

from uuid import UUID

from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.orders.rules import BuyerErased, OrderNotFound, hash_email
from fullhouse.orders.writes import lock_order, replace_email


async def correct_contact(
    conn: Connection, order_key: bytes, organization_id: UUID, order_id: UUID, email: str
) -> None:
    """Let mails about an order go to another address from now on; the buyer's name stays.

    The order is found by the new address and no more by the old one. What the buyer took of an event's limit stays with
    the address that took it. Raises ``OrderNotFound``, and ``BuyerErased`` where the buyer's data was erased.
    """
    if await lock_order(conn, organization_id, order_id) is None:
        raise OrderNotFound
    if not await replace_email(conn, organization_id, order_id, email, hash_email(order_key, email)):
        raise BuyerErased
    await record(conn, organization_id, Act("order.correct_contact", "order", order_id))
