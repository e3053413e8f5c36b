"""Holding many reservations at once while their payments are open."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.reservations.deadlines.rules import refuse_unless_held
from fullhouse.reservations.deadlines.writes import lock_deadlines, set_expiries
from fullhouse.reservations.rules import ReservationExpired, ReservationNotFound


async def hold_for(
    conn: Connection, organization_id: UUID, seconds: Mapping[UUID, float]
) -> dict[UUID, datetime | ReservationExpired | ReservationNotFound]:
    """Hold reservations for so many seconds each, for open payment attempts: they may pass the longest hold.

    Never shortens. Returns for each from what instant on, or, of those that are not held, why not; these stay as they
    are.
    """
    rows = await lock_deadlines(conn, organization_id, list(seconds))
    found: dict[UUID, datetime | ReservationExpired | ReservationNotFound] = {}
    later: dict[UUID, datetime] = {}
    for one, wanted in seconds.items():
        row = rows.get(one)
        if row is None:
            found[one] = ReservationNotFound()
            continue
        now: datetime = row["now"]
        try:
            refuse_unless_held(row["status"], row["expires_at"], now)
        except ReservationExpired as ended:
            found[one] = ended
            continue
        found[one] = now
        if now + timedelta(seconds=wanted) > row["expires_at"]:
            later[one] = now + timedelta(seconds=wanted)
    if later:
        await set_expiries(conn, organization_id, later)
    return found
