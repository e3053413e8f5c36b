"""Giving a reservation back before it ends."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra import outbox
from fullhouse.infra.postgres import Connection
from fullhouse.reservations import writes
from fullhouse.reservations.blocked.give_back import give_back
from fullhouse.reservations.messages import ReservationReleased
from fullhouse.reservations.rules import ReservationStatus


async def release_reservation(conn: Connection, make_id: MakeId, organization_id: UUID, reservation_id: UUID) -> bool:
    """Give the stock of a held reservation back, once. False means that it was not held any more.

    Locks stock, then the reservation. Raises ``ReservationNotFound``.
    """
    row = await writes.lock_with_stock(conn, organization_id, reservation_id)
    if row["status"] != ReservationStatus.HELD:
        return False
    session_id = row["session_id"]
    await writes.end_reservations(conn, organization_id, [reservation_id], ReservationStatus.RELEASED)
    version = await give_back(conn, organization_id, session_id, [row])
    await outbox.append(conn, make_id, [ReservationReleased(organization_id, session_id, version, (reservation_id,))])
    return True
