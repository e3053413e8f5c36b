"""Giving back what reservations held: to the public, or to the allocation that it was taken from."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record
from fullhouse.reservations import writes
from fullhouse.reservations.blocked import writes as allocation_writes
from fullhouse.reservations.blocked.allocation import Allocation
from fullhouse.reservations.rules import Draw, SeatState
from fullhouse.reservations.writes import SeatMove, StockMove


async def give_back(conn: Connection, organization_id: UUID, session_id: UUID, rows: Sequence[Record]) -> int:
    """Free what reservations of a session held, in one version of its stock, and return that version.

    ``rows`` are reservations that have just ended; the caller holds the stock's lock. What was taken from an allocation
    is blocked again while the allocation is, and is the public's after it was released.
    """
    asked = {row["allocation_id"] for row in rows if row["allocation_id"] is not None}
    before = await allocation_writes.lock_allocations(conn, organization_id, session_id, asked) if asked else {}
    after = dict(before)
    blocked: dict[UUID, int] = {}
    for row in rows:
        allocation = after.get(row["allocation_id"])
        if allocation is not None:
            own = allocation.own_part(sum_counts([row], +1))
            after[allocation.allocation_id] = allocation.with_more(Draw(own, row["seats"]))
            for quota_id, count in own.items():
                blocked[quota_id] = blocked.get(quota_id, 0) + count
    version = await writes.move_stock(
        conn,
        StockMove(
            organization_id,
            session_id,
            seats=_moves(rows, after),
            held=sum_counts(rows, -1),
            blocked=blocked,
        ),
    )
    if after:
        await allocation_writes.set_allocations(conn, organization_id, session_id, list(after.values()))
    return version


def _moves(rows: Sequence[Record], blocked: dict[UUID, Allocation]) -> list[SeatMove]:
    public = [seat for row in rows if row["allocation_id"] not in blocked for seat in row["seats"]]
    return [
        SeatMove(public, SeatState.HELD, SeatState.AVAILABLE),
        *(
            SeatMove(row["seats"], SeatState.HELD, SeatState.BLOCKED, allocation_id=row["allocation_id"])
            for row in rows
            if row["allocation_id"] in blocked and row["seats"]
        ),
    ]


def sum_counts(rows: Iterable[Record], sign: int) -> dict[UUID, int]:
    """Add up what rows of reservations draw on each quota, times ``sign``."""
    counts: dict[UUID, int] = {}
    for row in rows:
        for quota_id, count in zip(row["quota_ids"], row["quota_counts"], strict=True):
            counts[quota_id] = counts.get(quota_id, 0) + sign * count
    return counts
