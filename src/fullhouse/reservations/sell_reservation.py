"""Selling what a reservation holds, when its money has come."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra import outbox
from fullhouse.infra.postgres import Connection
from fullhouse.reservations import writes
from fullhouse.reservations.blocked.give_back import sum_counts
from fullhouse.reservations.messages import ReservationSold
from fullhouse.reservations.queries import reservation_of
from fullhouse.reservations.rules import Reservation, ReservationStatus, SeatState
from fullhouse.reservations.writes import SeatMove, StockMove


async def sell_reservation(
    conn: Connection, make_id: MakeId, organization_id: UUID, reservation_id: UUID
) -> Reservation | None:
    """Sell what a held reservation holds. None means that it is not held any more: see ``sell_again``.

    One whose time has run out, but whose stock nobody has claimed yet, is still held, and so is sold: the lock
    decides. Locks stock, then the reservation. Raises ``ReservationNotFound``.
    """
    row = await writes.lock_with_stock(conn, organization_id, reservation_id)
    if row["status"] != ReservationStatus.HELD:
        return None
    session_id = row["session_id"]
    await writes.end_reservation(conn, organization_id, reservation_id, ReservationStatus.SOLD)
    version = await writes.move_stock(
        conn,
        StockMove(
            organization_id,
            session_id,
            seats=[SeatMove(row["seats"], SeatState.HELD, SeatState.SOLD, reservation_id)],
            held=sum_counts([row], -1),
            sold=sum_counts([row], +1),
        ),
    )
    await outbox.append(conn, make_id, [ReservationSold(organization_id, session_id, version, (reservation_id,))])
    return reservation_of(row, ReservationStatus.SOLD)
