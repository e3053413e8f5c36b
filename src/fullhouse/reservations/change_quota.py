"""Changing what a session has to sell: capacities of quotas, new quotas, and news of changed terms."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.core.errors import NotFound
from fullhouse.infra.postgres import Connection
from fullhouse.reservations import writes
from fullhouse.reservations.rules import NewQuota, QuotaBelowSold
from fullhouse.reservations.writes import StockMove


class QuotaNotFound(NotFound):
    """The session has no such quota."""

    code = "quota_not_found"
    title = "There is no such quota."


async def change_quota(conn: Connection, organization_id: UUID, session_id: UUID, quota_id: UUID, capacity: int) -> int:
    """Set the capacity of a quota and return the stock's new version.

    Raises ``QuotaBelowSold`` with the numbers where more than that is held, sold or blocked already, and
    ``QuotaNotFound``.
    """
    await writes.lock_stock(conn, organization_id, session_id)
    row = await writes.lock_quota(conn, organization_id, session_id, quota_id)
    if row is None:
        raise QuotaNotFound
    used = row["held"] + row["sold"] + row["blocked"]
    if capacity < used:
        raise QuotaBelowSold(
            f"{used} places are already held, sold or blocked.",
            quota_id=str(quota_id),
            capacity=capacity,
            held=row["held"],
            sold=row["sold"],
            blocked=row["blocked"],
        )
    move = StockMove(organization_id, session_id, capacity={quota_id: capacity - row["capacity"]})
    return await writes.move_stock(conn, move)


async def add_quotas(conn: Connection, organization_id: UUID, session_id: UUID, quotas: Sequence[NewQuota]) -> int:
    """Open further quotas of a session and return the stock's new version; desks load everything again."""
    await writes.lock_stock(conn, organization_id, session_id)
    await writes.insert_quotas(conn, organization_id, session_id, quotas)
    return await writes.move_stock(conn, StockMove(organization_id, session_id, terms_changed=True))


async def announce_terms_changed(conn: Connection, organization_id: UUID, session_id: UUID) -> int:
    """Make every desk read the session's terms again before its next decision. Returns the stock's new version.

    Call it in the transaction that changes prices, windows, limits or states.
    """
    await writes.lock_stock(conn, organization_id, session_id)
    return await writes.move_stock(conn, StockMove(organization_id, session_id, terms_changed=True))
