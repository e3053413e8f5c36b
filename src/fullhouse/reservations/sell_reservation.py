"""Selling what reservations hold, when their money has come."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra import outbox
from fullhouse.infra.postgres import Connection, Record
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
    await _sell(conn, make_id, organization_id, [row])
    return reservation_of(row, ReservationStatus.SOLD)


async def sell_reservations(
    conn: Connection,
    make_id: MakeId,
    organization_id: UUID,
    session_ids: Collection[UUID],
    reservation_ids: Sequence[UUID],
) -> dict[UUID, Reservation]:
    """Sell those of these reservations that are still held, as ``sell_reservation`` does with one. Returns them by id.

    Locks the stock of all these sessions, in order of their ids, then the reservations: whatever the caller does with
    one of them afterwards waits for nobody. Each session whose places were sold has one more version, and one message.
    """
    rows = await writes.lock_all_with_stock(conn, organization_id, session_ids, reservation_ids)
    if rows:
        await _sell(conn, make_id, organization_id, rows)
    return {row["reservation_id"]: reservation_of(row, ReservationStatus.SOLD) for row in rows}


async def _sell(conn: Connection, make_id: MakeId, organization_id: UUID, rows: Sequence[Record]) -> None:
    ids = [row["reservation_id"] for row in rows]
    await writes.end_reservations(conn, organization_id, ids, ReservationStatus.SOLD)
    of_session: defaultdict[UUID, list[Record]] = defaultdict(list)
    for row in rows:
        of_session[row["session_id"]].append(row)
    facts = [await _move(conn, organization_id, session_id, sold) for session_id, sold in sorted(of_session.items())]
    await outbox.append(conn, make_id, facts)


async def _move(conn: Connection, organization_id: UUID, session_id: UUID, rows: Sequence[Record]) -> ReservationSold:
    version = await writes.move_stock(
        conn,
        StockMove(
            organization_id,
            session_id,
            seats=[
                SeatMove(row["seats"], SeatState.HELD, SeatState.SOLD, row["reservation_id"])
                for row in rows
                if row["seats"]
            ],
            held=sum_counts(rows, -1),
            sold=sum_counts(rows, +1),
        ),
    )
    return ReservationSold(organization_id, session_id, version, tuple(row["reservation_id"] for row in rows))
