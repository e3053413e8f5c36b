"""Taking places out of an allocation, for whoever may sell them."""

from dataclasses import replace

from fullhouse.infra.postgres import Connection
from fullhouse.reservations.blocked.allocation import Allocation
from fullhouse.reservations.blocked.writes import set_allocations
from fullhouse.reservations.rules import Draw, SeatState
from fullhouse.reservations.writes import StockMove


async def take_from_allocation(conn: Connection, move: StockMove, allocation: Allocation, draw: Draw) -> StockMove:
    """Block less of an allocation by what is drawn, and return the move as it is where places come from there.

    The caller holds the stock's lock, and writes the move in the same transaction.
    """
    own = allocation.own_part(draw.quota_counts)
    after = allocation.without(Draw(own, draw.seats))
    await set_allocations(conn, move.organization_id, move.session_id, [after])
    seats = [replace(one, before=SeatState.BLOCKED) if one.before is SeatState.AVAILABLE else one for one in move.seats]
    return replace(move, seats=seats, blocked={quota_id: -count for quota_id, count in own.items()})
