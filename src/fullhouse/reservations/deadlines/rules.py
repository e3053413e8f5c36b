"""Until when a reservation is held, and how it is refused when it is held no more. Pure."""

from datetime import datetime, timedelta

from fullhouse.reservations.rules import Reservation, ReservationExpired, ReservationStatus


def refuse_unless_held(status: str, expires_at: datetime, now: datetime) -> None:
    """Raise ``ReservationExpired`` where a reservation is no longer held, or its time has run out."""
    if status != ReservationStatus.HELD or expires_at <= now:
        ended = status if status != ReservationStatus.HELD else ReservationStatus.EXPIRED
        raise ReservationExpired(reservation_status=str(ended))


def extended(held: Reservation, now: datetime, seconds: int) -> datetime:
    """Return until when a reservation is held for so many seconds from now: never past its longest, nor shorter."""
    return max(held.expires_at, min(now + timedelta(seconds=seconds), held.expires_at_max))
