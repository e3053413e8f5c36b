"""Stock that was sold comes back: a refund, or a cancelled unit."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.reservations import writes
from fullhouse.reservations.rules import SeatState
from fullhouse.reservations.writes import SeatMove, StockMove


async def return_stock(
    conn: Connection,
    organization_id: UUID,
    session_id: UUID,
    *,
    seats: Sequence[int],
    quota_counts: Mapping[UUID, int],
) -> int:
    """Put sold places back on sale and return the stock's new version.

    Call it once for each cancelled unit: a seat that is not sold raises ``StockOutOfStep``, a counter that would
    fall below zero breaks its check, and the caller's transaction fails. Locks stock, so call it before locks on
    orders and tickets. Raises ``SessionNotFound``.
    """
    await writes.lock_stock(conn, organization_id, session_id)
    return await writes.move_stock(
        conn,
        StockMove(
            organization_id,
            session_id,
            seats=[SeatMove(sorted(seats), SeatState.SOLD, SeatState.AVAILABLE)],
            sold={quota_id: -count for quota_id, count in quota_counts.items()},
        ),
    )
