"""Asking for more time.

A deadline is the reservation's own: whoever ends it locks it first and looks at its deadline then. So the stock stays
unlocked, and nobody who pays holds up those who buy.
"""

from datetime import datetime, timedelta
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.reservations import queries, writes
from fullhouse.reservations.queries import reservation_of
from fullhouse.reservations.rules import Reservation, ReservationExpired, ReservationNotFound, ReservationStatus


async def extend_reservation(
    conn: Connection, organization_id: UUID, reservation_id: UUID, *, seconds: int, will_sell: bool = False
) -> Reservation:
    """Hold a reservation for so many seconds from now, never shorter than before and never past its longest.

    ``will_sell`` says that the caller sells it in the same transaction: then its stock is locked before it, as by
    everybody who needs both. Raises ``ReservationExpired`` where it is no longer held or its time has run out, and
    ``ReservationNotFound``.
    """
    row, now = await _lock_held(conn, organization_id, reservation_id, with_stock=will_sell)
    wanted = min(now + timedelta(seconds=seconds), row.expires_at_max)
    return await _move_deadline(conn, row, wanted)


async def hold_until(conn: Connection, organization_id: UUID, reservation_id: UUID, until: datetime) -> Reservation:
    """Hold a reservation until an instant, for an open payment attempt: it may pass the longest hold.

    Never shortens. Raises as ``extend_reservation`` does.
    """
    row, _ = await _lock_held(conn, organization_id, reservation_id, with_stock=False)
    return await _move_deadline(conn, row, until)


async def _move_deadline(conn: Connection, reservation: Reservation, until: datetime) -> Reservation:
    if until <= reservation.expires_at:
        return reservation
    return reservation_of(await writes.set_expiry(conn, reservation.organization_id, reservation.reservation_id, until))


async def _lock_held(
    conn: Connection, organization_id: UUID, reservation_id: UUID, *, with_stock: bool
) -> tuple[Reservation, datetime]:
    lock = writes.lock_with_stock if with_stock else writes.lock_reservation
    row = await lock(conn, organization_id, reservation_id)
    if row is None:
        raise ReservationNotFound
    now = await queries.read_clock(conn)
    if row["status"] != ReservationStatus.HELD or row["expires_at"] <= now:
        status = row["status"] if row["status"] != ReservationStatus.HELD else ReservationStatus.EXPIRED
        raise ReservationExpired(reservation_status=str(status))
    return reservation_of(row), now
