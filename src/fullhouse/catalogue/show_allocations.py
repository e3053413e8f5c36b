"""Show the allocations of a session with the names of what they block."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.catalogue.queries import load_counters, load_now
from fullhouse.events.queries import load_terms
from fullhouse.events.rules import SessionNotFound
from fullhouse.infra.postgres import Connection, Record
from fullhouse.reservations.queries import load_allocations
from fullhouse.reservations.stock import Counter
from fullhouse.seating.queries import load_seat_map
from fullhouse.seating.rules import SeatMap


@dataclass(frozen=True, slots=True)
class AllocationView:
    """What is kept from the public: seats by key, and quantities by standing area or, without a map, category."""

    allocation_id: UUID
    name: str
    reason: str
    seats: tuple[str, ...]
    quantities: dict[str, int]
    release_at: datetime | None
    created_at: datetime


async def show_allocations(conn: Connection, organization_id: UUID, session_id: UUID) -> list[AllocationView]:
    """Load what is blocked of a session, in the order in which it was blocked. Raises ``SessionNotFound``."""
    terms = await load_terms(conn, organization_id, session_id)
    if terms is None:
        raise SessionNotFound
    seat_map = None
    if terms.seat_map_id is not None:
        seat_map = await load_seat_map(conn, organization_id, terms.seat_map_id)
    counters = await load_counters(conn, organization_id, [session_id], await load_now(conn))
    rows = await load_allocations(conn, organization_id, session_id)
    return [_view(row, counters[session_id], seat_map) for row in rows]


def _view(row: Record, counters: dict[UUID, Counter], seat_map: SeatMap | None) -> AllocationView:
    counted = "category" if seat_map is None else "area"
    drawn = zip(row["quota_ids"], row["quota_counts"], strict=True)
    indexes: Sequence[int] = row["seats"]
    return AllocationView(
        allocation_id=row["allocation_id"],
        name=row["name"],
        reason=row["reason"],
        seats=() if seat_map is None else tuple(seat_map.seats[index].key for index in indexes),
        quantities={counters[key].name: count for key, count in drawn if counters[key].kind == counted},
        release_at=row["release_at"],
        created_at=row["created_at"],
    )
