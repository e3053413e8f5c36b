"""Asking for more time.

A deadline is the reservation's own: whoever ends it locks it first and looks at its deadline then. So the stock stays
unlocked, and nobody who pays holds up those who buy.
"""

from datetime import datetime
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
    row, now = await _lock_held(conn, organization_id, reservation_id)
    return await _move_deadline(conn, row, extended(row, now, seconds))


async def hold_until(conn: Connection, organization_id: UUID, reservation_id: UUID, until: datetime) -> Reservation:
    """Hold a reservation until an instant, for an open payment attempt: it may pass the longest hold.

    Never shortens. Raises as ``extend_reservation`` does.
    """
    row, _ = await _lock_held(conn, organization_id, reservation_id)
    return await _move_deadline(conn, row, until)


async def _move_deadline(conn: Connection, reservation: Reservation, until: datetime) -> Reservation:
    if until <= reservation.expires_at:
        return reservation
    return reservation_of(await writes.set_expiry(conn, reservation.organization_id, reservation.reservation_id, until))


async def _lock_held(conn: Connection, organization_id: UUID, reservation_id: UUID) -> tuple[Reservation, datetime]:
    row = await writes.lock_reservation(conn, organization_id, reservation_id)
    if row is None:
        raise ReservationNotFound
    now = await queries.read_clock(conn)
    refuse_unless_held(row["status"], row["expires_at"], now)
    return reservation_of(row), now
