"""Handing over all that an organization keeps of a buyer."""

from uuid import UUID

from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.privacy.queries import find_orders_of, gather_orders
from fullhouse.privacy.rules import Export


async def export_buyer(conn: Connection, organization_id: UUID, email: str) -> Export:
    """Gather a buyer's orders with all that hangs on them; none where the address is not known."""
    found = await find_orders_of(conn, organization_id, email)
    act = Act("buyer.export", "organization", organization_id, {"order_count": len(found)})
    await record(conn, organization_id, act)
    return Export(await gather_orders(conn, organization_id, [order.order_id for order in found]))
