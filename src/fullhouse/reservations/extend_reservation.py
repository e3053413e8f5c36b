"""Asking for more time.

A deadline is the reservation's own: whoever ends it locks it first and looks at its deadline then. So the stock stays
unlocked, and nobody who pays holds up those who buy.
"""

from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.reservations import queries, writes
from fullhouse.reservations.deadlines.rules import extended, refuse_unless_held
from fullhouse.reservations.queries import reservation_of
from fullhouse.reservations.rules import Reservation, ReservationNotFound


async def extend_reservation(
    conn: Connection, organization_id: UUID, reservation_id: UUID, *, seconds: int
) -> Reservation:
    """Hold a reservation for so many seconds from now, never shorter than before and never past its longest.

    Raises ``ReservationExpired`` where it is no longer held or its time has run out, and ``ReservationNotFound``.
    """
    row = await writes.lock_reservation(conn, organization_id, reservation_id)
    if row is None:
        raise ReservationNotFound
    now = await queries.read_clock(conn)
    refuse_unless_held(row["status"], row["expires_at"], now)
    held = reservation_of(row)
    until = extended(held, now, seconds)
    if until == held.expires_at:
        return held
    return reservation_of(await writes.set_expiry(conn, organization_id, reservation_id, until))
