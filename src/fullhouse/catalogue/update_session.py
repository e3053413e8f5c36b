"""Change a session: its name, dates, windows, limits, prices, capacities, and new things to sell."""

from uuid import UUID

from fullhouse.catalogue.queries import load_counters, load_now
from fullhouse.catalogue.rules import SessionChange
from fullhouse.catalogue.session_change import CapacityChange, plan_change
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.events.change_session import change_session
from fullhouse.events.lock_terms import lock_session
from fullhouse.events.rules import SessionTerms
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.reservations import change_quota
from fullhouse.reservations.expire_reservations import expire_in_session
from fullhouse.reservations.rules import QuotaBelowSold
from fullhouse.seating.queries import load_seat_map

CAPACITIES_RECORDED_MAX = 20
"""The audit log names so many new capacities of one change."""


async def update_session(
    conn: Connection, make_id: MakeId, organization_id: UUID, session_id: UUID, change: SessionChange
) -> SessionTerms:
    """Change a session and make every desk read its terms again. Returns the terms after it.

    What is held or sold keeps its price. Raises ``SessionNotFound``, ``EventIsCancelled``, ``SessionIsCancelled``,
    ``QuotaBelowSold`` with the numbers, ``AboveRoom``, and ``Invalid`` naming each field that makes no sense.
    """
    before = await lock_session(conn, organization_id, session_id)
    counters = await load_counters(conn, organization_id, [session_id], await load_now(conn))
    seat_map = None
    if before.seat_map_id is not None:
        seat_map = await load_seat_map(conn, organization_id, before.seat_map_id)
    plan = plan_change(before, counters[session_id], seat_map, change, make_id)
    await change_session(conn, make_id, before, plan.after)
    await change_quota.announce_terms_changed(conn, organization_id, session_id)
    if plan.new_quotas:
        await change_quota.add_quotas(conn, organization_id, session_id, plan.new_quotas)
    if plan.capacities:
        await expire_in_session(conn, make_id, organization_id, session_id)
    for capacity in plan.capacities:
        await _set_capacity(conn, organization_id, session_id, capacity)
    capacities: dict[str, Json] = {str(one.quota_id): one.capacity for one in plan.capacities[:CAPACITIES_RECORDED_MAX]}
    details: dict[str, Json] = {"fields": list(change.changed_fields()), "capacities": capacities}
    await record(conn, organization_id, Act("session.update", "session", session_id, details))
    return plan.after


async def _set_capacity(conn: Connection, organization_id: UUID, session_id: UUID, change: CapacityChange) -> None:
    try:
        await change_quota.change_quota(conn, organization_id, session_id, change.quota_id, change.capacity)
    except QuotaBelowSold as refused:
        raise QuotaBelowSold(f"{change.field}: {refused.detail}", field=change.field, **refused.fields) from refused
