"""Asking for more time for many reservations at once, which were loaded before they are locked."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record
from fullhouse.reservations.deadlines.rules import extended, refuse_unless_held
from fullhouse.reservations.deadlines.writes import lock_deadlines, lock_stocks, set_expiries
from fullhouse.reservations.rules import Reservation, ReservationExpired, ReservationStatus


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
        await lock_stocks(conn, organization_id, will_sell)
    rows = await lock_deadlines(conn, organization_id, [one.reservation_id for one in known])
    return [_as_locked(one, rows[one.reservation_id]) for one in known]


def _as_locked(known: Reservation, row: Record) -> HeldNow | ReservationExpired:
    try:
        refuse_unless_held(row["status"], row["expires_at"], row["now"])
    except ReservationExpired as ended:
        return ended
    return HeldNow(known._replace(status=ReservationStatus.HELD, expires_at=row["expires_at"]), row["now"])


async def extend_held(
    conn: Connection, organization_id: UUID, held: Sequence[tuple[HeldNow, int]]
) -> list[Reservation]:
    """Hold what ``lock_held`` returned for so many seconds from that instant, as ``extend_reservation`` does."""
    longer = [one._replace(expires_at=extended(one, now, seconds)) for (one, now), seconds in held]
    moved = [new for new, ((old, _), _) in zip(longer, held, strict=True) if new.expires_at != old.expires_at]
    if moved:
        await set_expiries(conn, organization_id, {one.reservation_id: one.expires_at for one in moved})
    return longer
