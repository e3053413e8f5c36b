"""Reading stock and reservations, without locks."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record
from fullhouse.reservations.rules import Reservation, ReservationStatus, SessionNotFound, held_item_from_json
from fullhouse.reservations.stock import Counter, Stock, StockChange
from fullhouse.seating.queries import load_seat_map


async def load_stock(conn: Connection, organization_id: UUID, session_id: UUID) -> Stock:
    """Load the stock of a session as of one version; inside the stock's lock it is the latest.

    One snapshot: version, counters and seats come from one statement.
    """
    row = await conn.fetchrow(
        """
        SELECT st.version, st.seat_map_id,
               (SELECT jsonb_agg(jsonb_build_array(quota_id, kind, name, capacity, held, sold, blocked))
                FROM quotas q WHERE q.organization_id = $1 AND q.session_id = $2) AS counters,
               (SELECT string_agg(state::text, '' ORDER BY seat_index)
                FROM seats s WHERE s.organization_id = $1 AND s.session_id = $2) AS seat_states
        FROM stock st WHERE st.organization_id = $1 AND st.session_id = $2
        """,
        organization_id,
        session_id,
    )
    if row is None:
        raise SessionNotFound
    counters = {UUID(quota_id): Counter(*numbers) for quota_id, *numbers in row["counters"] or ()}
    seat_map = None
    if row["seat_map_id"] is not None:
        seat_map = await load_seat_map(conn, organization_id, row["seat_map_id"])
    states = (row["seat_states"] or "").encode().translate(_DIGITS_TO_NUMBERS)
    return Stock(row["version"], counters, seat_map, states)


_DIGITS_TO_NUMBERS = bytes.maketrans(b"0123", bytes(range(4)))


async def read_clock(conn: Connection) -> datetime:
    """Read the database's time; after a lock, in a statement of its own, since the wait may have been long."""
    now: datetime = await conn.fetchval("SELECT clock_timestamp()")
    return now


async def load_terms_changes(conn: Connection, organization_id: UUID, session_id: UUID) -> int:
    """Read how often the session's terms changed; inside the stock's lock it is the latest."""
    count: int | None = await conn.fetchval(
        "SELECT terms_changes FROM stock WHERE organization_id = $1 AND session_id = $2", organization_id, session_id
    )
    if count is None:
        raise SessionNotFound
    return count


async def load_changes(
    conn: Connection, organization_id: UUID, session_id: UUID, after: int, until: int
) -> list[StockChange] | None:
    """Load what changed after one version until another, or None where some of it has been pruned."""
    rows = await conn.fetch(
        """
        SELECT version, seats, seat_states, quota_ids, quota_counters, terms_changed FROM stock_changes
        WHERE organization_id = $1 AND session_id = $2 AND version > $3 AND version <= $4 ORDER BY version
        """,
        organization_id,
        session_id,
        after,
        until,
    )
    return [_change(row) for row in rows] if len(rows) == until - after else None


def _change(row: Record) -> StockChange:
    numbers: Sequence[int] = row["quota_counters"]
    groups = zip(*(iter(numbers),) * 4, strict=True)
    return StockChange(
        version=row["version"],
        seats=row["seats"],
        seat_states=row["seat_states"],
        counters=dict(zip(row["quota_ids"], groups, strict=True)),
        terms_changed=row["terms_changed"],
    )


async def load_reservation(conn: Connection, organization_id: UUID, reservation_id: UUID) -> Reservation | None:
    """Load a reservation. One whose time has run out says ``expired``, swept or not."""
    row = await conn.fetchrow(
        """
        SELECT *, status = 'held' AND expires_at <= clock_timestamp() AS lapsed FROM reservations
        WHERE organization_id = $1 AND reservation_id = $2
        """,
        organization_id,
        reservation_id,
    )
    if row is None:
        return None
    return reservation_of(row, status=ReservationStatus.EXPIRED if row["lapsed"] else None)


async def load_reservations(
    conn: Connection, organization_id: UUID, reservation_ids: Collection[UUID]
) -> dict[UUID, Reservation]:
    """Load reservations by their ids, with the status that their rows have: ``held`` too where the time has run out."""
    rows = await conn.fetch(
        "SELECT * FROM reservations WHERE organization_id = $1 AND reservation_id = ANY ($2::uuid[])",
        organization_id,
        reservation_ids,
    )
    return {row["reservation_id"]: reservation_of(row) for row in rows}


def reservation_of(row: Record, status: ReservationStatus | None = None) -> Reservation:
    """Build a reservation from its row, or with another status than the row's."""
    return Reservation(
        organization_id=row["organization_id"],
        reservation_id=row["reservation_id"],
        session_id=row["session_id"],
        status=status or ReservationStatus(row["status"]),
        token_hash=row["token_hash"],
        items=tuple(held_item_from_json(item) for item in row["items"]),
        total_minor=row["total_minor"],
        currency=row["currency"],
        held_at=row["held_at"],
        expires_at=row["expires_at"],
        expires_at_max=row["expires_at_max"],
    )


class Keyed(NamedTuple):
    """A reservation that an idempotency key asked for, and what was first answered to it."""

    key: str
    fingerprint: bytes
    first_expires_at: datetime
    reservation: Reservation


async def load_keyed(conn: Connection, organization_id: UUID, session_id: UUID, keys: Sequence[str]) -> list[Keyed]:
    """Load the reservations of a session that these idempotency keys asked for."""
    rows = await conn.fetch(
        """
        -- The array keeps the plan on these keys of the index, whatever the planner believes of the table.
        SELECT * FROM reservations
        WHERE organization_id = $1 AND session_id = $2 AND idempotency_key = ANY ($3::text[])
        """,
        organization_id,
        session_id,
        keys,
    )
    return [
        Keyed(row["idempotency_key"], row["fingerprint"], row["first_expires_at"], reservation_of(row)) for row in rows
    ]


async def load_next_expiry(conn: Connection, organization_id: UUID, session_id: UUID, now: datetime) -> datetime | None:
    """Return when the next hold of a session lapses after an instant, or None where there is none."""
    expires_at: datetime | None = await conn.fetchval(
        """
        SELECT min(expires_at) FROM reservations
        WHERE organization_id = $1 AND session_id = $2 AND status = 'held' AND expires_at > $3
        """,
        organization_id,
        session_id,
        now,
    )
    return expires_at


async def find_session(conn: Connection, organization_id: UUID, reservation_id: UUID) -> UUID | None:
    """Return the session of a reservation, so that its stock can be locked before the reservation."""
    session_id: UUID | None = await conn.fetchval(
        "SELECT session_id FROM reservations WHERE organization_id = $1 AND reservation_id = $2",
        organization_id,
        reservation_id,
    )
    return session_id


async def sessions_with_expired(conn: Connection, count_max: int) -> list[tuple[UUID, UUID]]:
    """Find (organization, session) pairs with reservations whose time has run out.

    Crosses organizations: it is the sweeper's look-up, and only names where to sweep.
    """
    rows = await conn.fetch(
        """
        SELECT DISTINCT organization_id, session_id FROM (
            SELECT organization_id, session_id FROM reservations
            WHERE status = 'held' AND expires_at <= clock_timestamp() ORDER BY expires_at LIMIT 20000
        ) due LIMIT $1
        """,
        count_max,
    )
    return [(row["organization_id"], row["session_id"]) for row in rows]


class Ended(NamedTuple):
    """A reservation that was released or expired, in the order in which they ended."""

    ended_at: datetime
    organization_id: UUID
    reservation_id: UUID


async def load_ended(conn: Connection, days: int, after: Ended | None, count_max: int) -> list[Ended]:
    """Find reservations that came to nothing so many days ago or earlier, after the last of the batch before.

    Crosses organizations: the schedule's look-up.
    """
    rows = await conn.fetch(
        """
        SELECT ended_at, organization_id, reservation_id FROM reservations
        WHERE status IN ('released', 'expired') AND ended_at < clock_timestamp() - make_interval(days => $1)
          AND (ended_at, organization_id, reservation_id) > (coalesce($2, '-infinity'::timestamptz), $3::uuid, $4::uuid)
        ORDER BY ended_at, organization_id, reservation_id LIMIT $5
        """,
        days,
        after.ended_at if after else None,
        after.organization_id if after else UUID(int=0),
        after.reservation_id if after else UUID(int=0),
        count_max,
    )
    return [Ended(**row) for row in rows]


async def load_allocations(conn: Connection, organization_id: UUID, session_id: UUID) -> list[Record]:
    """Load the allocations of a session that are still blocked, in the order in which they were made."""
    return await conn.fetch(
        """
        SELECT allocation_id, name, reason, release_at, quota_ids, quota_counts, seats, created_at FROM allocations
        WHERE organization_id = $1 AND session_id = $2 AND status = 'blocked' ORDER BY allocation_id
        """,
        organization_id,
        session_id,
    )


async def load_allocation_key(
    conn: Connection, organization_id: UUID, session_id: UUID, allocation_id: UUID
) -> Record | None:
    """Load the hash of the key of an allocation that is still blocked; None where there is no such allocation."""
    return await conn.fetchrow(
        """
        SELECT key_hash FROM allocations
        WHERE organization_id = $1 AND session_id = $2 AND allocation_id = $3 AND status = 'blocked'
        """,
        organization_id,
        session_id,
        allocation_id,
    )


async def due_allocations(conn: Connection, count_max: int) -> list[Record]:
    """Find allocations whose release has come. Crosses organizations: the schedule's look-up."""
    return await conn.fetch(
        """
        SELECT organization_id, session_id, allocation_id FROM allocations
        WHERE status = 'blocked' AND release_at <= clock_timestamp() ORDER BY release_at LIMIT $1
        """,
        count_max,
    )
