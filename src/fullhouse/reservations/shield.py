"""What Valkey remembers of reservations: a short copy of each held one that was looked at, gone when its time runs out.

Most holds of an on-sale are never looked at, so a hold makes none: it would cost more than the hold itself.

Valkey is never asked whether something may be sold, so losing it costs speed and nothing else; it holds no lock.
"""

import json
from collections.abc import Sequence
from uuid import UUID

from valkey.asyncio import Valkey

from fullhouse.core.clock import Clock
from fullhouse.infra import valkey as infra_valkey
from fullhouse.reservations.rules import Reservation, ReservationStatus


def reservation_name(session_id: UUID, reservation_id: UUID) -> str:
    """Name the key of a reservation; all keys of a session fall into one slot of a cluster."""
    return f"{{session:{session_id}}}:reservation:{reservation_id}"


class Shield:
    """Tells Valkey of reservations that somebody looks at."""

    def __init__(self, valkey: Valkey, clock: Clock) -> None:
        """Take the client; nothing is told yet."""
        self._valkey = infra_valkey.Shield(valkey, clock)
        self._clock = clock

    async def remember_reservations(self, reservations: Sequence[Reservation]) -> None:
        """Write copies of held reservations, each with the time that it has left."""
        now = self._clock()
        copies: list[tuple[str, str, int]] = []
        for reservation in reservations:
            left_ms = int((reservation.expires_at - now).total_seconds() * 1000)
            if reservation.status is ReservationStatus.HELD and left_ms > 0:
                name = reservation_name(reservation.session_id, reservation.reservation_id)
                copies.append((name, _copy(reservation), left_ms))
        if copies:
            await self._valkey.ask("reservations", lambda client: _write(client, copies), None)

    async def forget_reservation(self, reservation: Reservation) -> None:
        """Remove the copy of a reservation that has ended."""
        name = reservation_name(reservation.session_id, reservation.reservation_id)
        await self._valkey.ask("reservations", lambda client: client.delete(name), None)


async def _write(client: Valkey, copies: Sequence[tuple[str, str, int]]) -> None:
    pipeline = client.pipeline(transaction=False)
    for name, copy, left_ms in copies:
        pipeline.set(name, copy, px=left_ms)
    await pipeline.execute()


def _copy(reservation: Reservation) -> str:
    copy = {
        "status": str(reservation.status),
        "expires_at": reservation.expires_at.isoformat(),
        "quantity": reservation.quantity,
        "total_minor": reservation.total_minor,
        "currency": reservation.currency,
    }
    return json.dumps(copy, separators=(",", ":"))
