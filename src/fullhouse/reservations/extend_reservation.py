"""Asking for more time.

A deadline is the reservation's own: whoever ends it locks it first and looks at its deadline then. So the stock stays
unlocked, and nobody who pays holds up those who buy.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record
from fullhouse.reservations import queries, writes
from fullhouse.reservations.queries import reservation_of
from fullhouse.reservations.rules import Reservation, ReservationExpired, ReservationNotFound, ReservationStatus


async def extend_reservation(
    conn: Connection, organization_id: UUID, reservation_id: UUID, *, seconds: int
) -> Reservation:
    """Hold a reservation for so many seconds from now, never shorter than before and never past its longest.

    Raises ``ReservationExpired`` where it is no longer held or its time has run out, and ``ReservationNotFound``.
    """
    row, now = await _lock_held(conn, organization_id, reservation_id)
    return await _move_deadline(conn, row, _extended(row.expires_at_max, now, seconds))


async def hold_until(conn: Connection, organization_id: UUID, reservation_id: UUID, until: datetime) -> Reservation:
    """Hold a reservation until an instant, for an open payment attempt: it may pass the longest hold.

    Never shortens. Raises as ``extend_reservation`` does.
    """
    row, _ = await _lock_held(conn, organization_id, reservation_id)
    return await _move_deadline(conn, row, until)


def _must_be_held(status: str, expires_at: datetime, now: datetime) -> None:
    if status != ReservationStatus.HELD or expires_at <= now:
        ended = status if status != ReservationStatus.HELD else ReservationStatus.EXPIRED
        raise ReservationExpired(reservation_status=str(ended))


async def _move_deadline(conn: Connection, reservation: Reservation, until: datetime) -> Reservation:
    if until <= reservation.expires_at:
        return reservation
    return reservation_of(await writes.set_expiry(conn, reservation.organization_id, reservation.reservation_id, until))


async def _lock_held(conn: Connection, organization_id: UUID, reservation_id: UUID) -> tuple[Reservation, datetime]:
    row = await writes.lock_reservation(conn, organization_id, reservation_id)
    if row is None:
        raise ReservationNotFound
    now = await queries.read_clock(conn)
    _must_be_held(row["status"], row["expires_at"], now)
    return reservation_of(row), now


class HeldNow(NamedTuple):
    """A reservation that is locked and held, and the instant of that."""

    reservation: Reservation
    now: datetime


async def lock_held(
    conn: Connection, organization_id: UUID, known: Sequence[Reservation], *, will_sell: Collection[UUID] = ()
) -> list[HeldNow | ReservationExpired]:
    """Lock reservations that were loaded before; return each as it is now, with the instant, or that it is not held.

    ``will_sell`` names sessions of which the caller sells in the same transaction: their stock is locked before, as by
    everybody who needs both.
    """
    if will_sell:
        await writes.lock_stocks(conn, organization_id, will_sell)
    rows = await writes.lock_deadlines(conn, organization_id, [one.reservation_id for one in known])
    return [_as_locked(one, rows[one.reservation_id]) for one in known]


def _as_locked(known: Reservation, row: Record) -> HeldNow | ReservationExpired:
    try:
        _must_be_held(row["status"], row["expires_at"], row["now"])
    except ReservationExpired as ended:
        return ended
    return HeldNow(known._replace(status=ReservationStatus.HELD, expires_at=row["expires_at"]), row["now"])


async def extend_held(
    conn: Connection, organization_id: UUID, held: Sequence[tuple[HeldNow, int]]
) -> list[Reservation]:
    """Hold what ``lock_held`` returned for so many seconds from that instant, as ``extend_reservation`` does."""
    extended = [
        one._replace(expires_at=max(one.expires_at, _extended(one.expires_at_max, now, seconds)))
        for (one, now), seconds in held
    ]
    moved = [new for new, ((old, _), _) in zip(extended, held, strict=True) if new.expires_at != old.expires_at]
    if moved:
        await writes.set_expiries(conn, organization_id, {one.reservation_id: one.expires_at for one in moved})
    return extended


def _extended(expires_at_max: datetime, now: datetime, seconds: int) -> datetime:
    return min(now + timedelta(seconds=seconds), expires_at_max)
