"""Keeping stock from the public for a reason, and giving it back."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from fullhouse.core.errors import invalid_field
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.events.rules import SessionTerms
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, connection, transaction
from fullhouse.reservations import queries, writes
from fullhouse.reservations.expire_reservations import expire_in_session
from fullhouse.reservations.rules import AllocationNotFound, Draw, NewAllocation, SeatState, SeatTaken, SoldOut
from fullhouse.reservations.stock import Stock
from fullhouse.reservations.writes import SeatMove, StockMove

ALLOCATION_SEATS_MAX = 20_000


async def block_stock(conn: Connection, make_id: MakeId, terms: SessionTerms, new: NewAllocation) -> UUID:
    """Block what is available, all or nothing, and return the id of the allocation.

    Raises ``SeatTaken``, ``SoldOut``, or ``Invalid`` where the session has no such seat, category or area.
    """
    organization_id, session_id = terms.organization_id, terms.session_id
    await writes.lock_stock(conn, organization_id, session_id)
    await expire_in_session(conn, make_id, organization_id, session_id)
    stock = await queries.load_stock(conn, organization_id, session_id)
    draw = draw_of_allocation(stock, terms, new)
    allocation_id = make_id()
    await writes.move_stock(
        conn,
        StockMove(
            organization_id,
            session_id,
            seats=[SeatMove(draw.seats, SeatState.AVAILABLE, SeatState.BLOCKED, allocation_id=allocation_id)],
            blocked=draw.quota_counts,
        ),
    )
    await writes.insert_allocation(conn, terms, allocation_id, new, draw)
    details: dict[str, Json] = {"session_id": str(session_id), "count": sum(draw.quota_counts.values())}
    await record(conn, organization_id, Act("stock.block", "allocation", allocation_id, details))
    return allocation_id


async def release_allocation(conn: Connection, organization_id: UUID, session_id: UUID, allocation_id: UUID) -> None:
    """Give all that is still blocked of an allocation back to the public. Raises ``AllocationNotFound``."""
    await writes.lock_stock(conn, organization_id, session_id)
    row = await writes.end_allocation(conn, organization_id, session_id, allocation_id)
    if row is None:
        raise AllocationNotFound
    counts = zip(row["quota_ids"], row["quota_counts"], strict=True)
    await writes.move_stock(
        conn,
        StockMove(
            organization_id,
            session_id,
            seats=[SeatMove(row["seats"], SeatState.BLOCKED, SeatState.AVAILABLE)],
            blocked={quota_id: -count for quota_id, count in counts},
        ),
    )
    act = Act("stock.release", "allocation", allocation_id, {"session_id": str(session_id)})
    await record(conn, organization_id, act)


async def release_due_allocations(pool: Pool) -> int:
    """Give back allocations whose ``release_at`` has come, a transaction for each. Returns how many."""
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        due = await queries.due_allocations(conn, 100)
    count = 0
    for row in due:
        try:
            async with transaction(pool, row["organization_id"]) as conn:
                await release_allocation(conn, row["organization_id"], row["session_id"], row["allocation_id"])
            count += 1
        except AllocationNotFound:
            continue
    return count


def draw_of_allocation(stock: Stock, terms: SessionTerms, new: NewAllocation) -> Draw:
    """Resolve names to seats and quotas, and check that all of it is available. Pure; takes nothing."""
    seats = [_find_seat(stock, position, name) for position, name in enumerate(new.seats)]
    taken = [name for name, i in zip(new.seats, seats, strict=True) if stock.seat_states[i] != SeatState.AVAILABLE]
    if taken or len(set(seats)) != len(seats):
        raise SeatTaken(seats=taken)
    counts = _count_places(stock, terms, seats, new.quantities)
    for quota_id, count in counts.items():
        if stock.counters[quota_id].available < count:
            raise SoldOut(quota=stock.counters[quota_id].name, available=stock.counters[quota_id].available)
    if not counts:
        raise invalid_field("seats", "name seats or quantities to block")
    return Draw(counts, sorted(seats))


def _count_places(
    stock: Stock, terms: SessionTerms, seats: Sequence[int], quantities: Mapping[str, int]
) -> dict[UUID, int]:
    quotas = {category.key: category.quota_id for category in terms.price_categories}
    counts: dict[UUID, int] = {}
    if stock.seat_map is not None:
        for index in seats:
            _add(counts, quotas[stock.seat_map.seats[index].price_category], 1)
    for name, quantity in quantities.items():
        area = None if stock.seat_map is None else stock.seat_map.area_by_key.get(name)
        key = name if area is None else area.price_category
        if key not in quotas or (stock.seat_map is not None and area is None):
            raise invalid_field(f"quantities.{name}", "is not a standing category or area of this session")
        _add(counts, quotas[key], quantity)
        if name in stock.area_quotas:
            _add(counts, stock.area_quotas[name], quantity)
    return counts


def _add(counts: dict[UUID, int], quota_id: UUID, count: int) -> None:
    counts[quota_id] = counts.get(quota_id, 0) + count


def _find_seat(stock: Stock, position: int, name: str) -> int:
    index = None if stock.seat_map is None else stock.seat_map.find_seat(name)
    if index is None:
        raise invalid_field(f"seats[{position}]", "is not a seat of this session")
    return index
