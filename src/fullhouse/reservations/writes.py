"""Every change of stock. Private to this feature; lock order: stock, seats by index, reservation."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from fullhouse.core.json import Json
from fullhouse.events.rules import SessionTerms
from fullhouse.infra.idempotency import Claim
from fullhouse.infra.postgres import Connection, Record
from fullhouse.reservations.deadlines.writes import lock_stocks
from fullhouse.reservations.queries import find_session
from fullhouse.reservations.rules import (
    Draw,
    NewAllocation,
    NewQuota,
    Reservation,
    ReservationNotFound,
    SeatState,
    SessionNotFound,
)


class StockOutOfStep(Exception):
    """A seat was not in the state that it was to be moved from: memory and table differ. Nothing was written."""


@dataclass(frozen=True, slots=True)
class SeatMove:
    """A move of seats from one state to another, with the owner that they get."""

    seats: Sequence[int]
    before: SeatState
    after: SeatState
    reservation_id: UUID | None = None
    allocation_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class StockMove:
    """One version of a session's stock: moves of seats, and what is added to each counter."""

    organization_id: UUID
    session_id: UUID
    seats: Sequence[SeatMove] = ()
    held: Mapping[UUID, int] = field(default_factory=dict[UUID, int])
    sold: Mapping[UUID, int] = field(default_factory=dict[UUID, int])
    blocked: Mapping[UUID, int] = field(default_factory=dict[UUID, int])
    capacity: Mapping[UUID, int] = field(default_factory=dict[UUID, int])
    terms_changed: bool = False


@dataclass(frozen=True, slots=True)
class NewReservation:
    """A reservation to write, with what it draws."""

    reservation: Reservation
    draw: Draw
    claim: Claim | None = None
    """The idempotency key that asked for it."""


async def lock_stock(conn: Connection, organization_id: UUID, session_id: UUID) -> int:
    """Lock a session's stock until the transaction ends and return its version. First of all locks."""
    version: int | None = await conn.fetchval(
        "SELECT version FROM stock WHERE organization_id = $1 AND session_id = $2 FOR UPDATE",
        organization_id,
        session_id,
    )
    if version is None:
        raise SessionNotFound
    return version


async def count_refusals(conn: Connection, organization_id: UUID, session_id: UUID) -> None:
    """Lock a session's stock, and count that refusals are kept in this transaction."""
    tag = await conn.execute(
        "UPDATE stock SET refusals = refusals + 1 WHERE organization_id = $1 AND session_id = $2",
        organization_id,
        session_id,
    )
    if tag != "UPDATE 1":
        raise SessionNotFound


async def move_stock(conn: Connection, move: StockMove) -> int:
    """Write one version of the stock in one statement: seats, counters, and the note of what changed.

    The caller holds the stock's lock. Returns the new version. Raises ``StockOutOfStep`` where a seat was not in
    the state to be moved from.
    """
    quota_ids = list(dict.fromkeys((*move.held, *move.sold, *move.blocked, *move.capacity)))
    flat = [(seat, one) for one in move.seats for seat in one.seats]
    row = await conn.fetchrow(
        """
        WITH moved AS (
            UPDATE seats s SET state = m.after, reservation_id = m.reservation_id, allocation_id = m.allocation_id
            FROM unnest($3::integer[], $4::smallint[], $5::smallint[], $6::uuid[], $7::uuid[])
                AS m(seat_index, before, after, reservation_id, allocation_id)
            -- The array keeps the plan on these seats of the primary key, whatever the planner believes of the table.
            WHERE s.organization_id = $1 AND s.session_id = $2 AND s.seat_index = ANY ($3::integer[])
              AND s.seat_index = m.seat_index AND s.state = m.before
            RETURNING s.seat_index, s.state
        ), counted AS (
            UPDATE quotas q SET held = q.held + d.held, sold = q.sold + d.sold,
                                blocked = q.blocked + d.blocked, capacity = q.capacity + d.capacity
            FROM unnest($8::uuid[], $9::integer[], $10::integer[], $11::integer[], $12::integer[])
                AS d(quota_id, held, sold, blocked, capacity)
            WHERE q.organization_id = $1 AND q.session_id = $2 AND q.quota_id = d.quota_id
            RETURNING q.quota_id, q.capacity, q.held, q.sold, q.blocked
        ), stepped AS (
            UPDATE stock SET version = version + 1, ever_held = ever_held OR $14,
                             terms_changes = terms_changes + $13::boolean::integer
            WHERE organization_id = $1 AND session_id = $2 RETURNING version
        ), noted AS (
            INSERT INTO stock_changes (organization_id, session_id, version, seats, seat_states,
                                       quota_ids, quota_counters, terms_changed)
            SELECT $1, $2, stepped.version,
                   coalesce((SELECT array_agg(seat_index ORDER BY seat_index) FROM moved), '{}'),
                   coalesce((SELECT array_agg(state ORDER BY seat_index) FROM moved), '{}'),
                   coalesce((SELECT array_agg(quota_id ORDER BY quota_id) FROM counted), '{}'),
                   coalesce((SELECT array_agg(number ORDER BY quota_id, ordinal) FROM counted,
                       unnest(ARRAY[capacity, held, sold, blocked]) WITH ORDINALITY AS n(number, ordinal)), '{}'),
                   $13
            FROM stepped RETURNING version
        )
        SELECT (SELECT version FROM noted) AS version, (SELECT count(*) FROM moved) AS moved,
               (SELECT count(*) FROM counted) AS counted
        """,
        move.organization_id,
        move.session_id,
        [seat for seat, _ in flat],
        [one.before for _, one in flat],
        [one.after for _, one in flat],
        [one.reservation_id for _, one in flat],
        [one.allocation_id for _, one in flat],
        quota_ids,
        [move.held.get(quota_id, 0) for quota_id in quota_ids],
        [move.sold.get(quota_id, 0) for quota_id in quota_ids],
        [move.blocked.get(quota_id, 0) for quota_id in quota_ids],
        [move.capacity.get(quota_id, 0) for quota_id in quota_ids],
        move.terms_changed,
        any(one.after == SeatState.HELD for one in move.seats) or any(n > 0 for n in move.held.values()),
    )
    if row is None or row["moved"] != len(flat) or row["counted"] != len(quota_ids):
        raise StockOutOfStep
    version: int = row["version"]
    return version


async def insert_reservations(conn: Connection, new: Sequence[NewReservation]) -> None:
    """Write held reservations of one session."""
    await conn.execute(
        """
        INSERT INTO reservations (organization_id, reservation_id, session_id, token_hash, items, total_minor,
                                  currency, quota_ids, quota_counts, seats, held_at, expires_at, expires_at_max,
                                  idempotency_key, fingerprint, first_expires_at)
        SELECT r.organization_id, r.reservation_id, r.session_id, r.token_hash, r.drawn -> 'items', r.total_minor,
               r.currency,
               ARRAY(SELECT jsonb_array_elements_text(r.drawn -> 'quota_ids')::uuid),
               ARRAY(SELECT jsonb_array_elements_text(r.drawn -> 'quota_counts')::integer),
               ARRAY(SELECT jsonb_array_elements_text(r.drawn -> 'seats')::integer),
               r.held_at, r.expires_at, r.expires_at_max, r.key, r.fingerprint, r.expires_at
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bytea[], $5::jsonb[], $6::bigint[], $7::text[],
                    $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::text[], $12::bytea[])
            AS r(organization_id, reservation_id, session_id, token_hash, drawn, total_minor, currency,
                 held_at, expires_at, expires_at_max, key, fingerprint)
        """,
        [one.reservation.organization_id for one in new],
        [one.reservation.reservation_id for one in new],
        [one.reservation.session_id for one in new],
        [one.reservation.token_hash for one in new],
        [_drawn_json(one) for one in new],
        [one.reservation.total_minor for one in new],
        [one.reservation.currency for one in new],
        [one.reservation.held_at for one in new],
        [one.reservation.expires_at for one in new],
        [one.reservation.expires_at_max for one in new],
        [one.claim.key if one.claim else None for one in new],
        [one.claim.fingerprint if one.claim else None for one in new],
    )


def _drawn_json(new: NewReservation) -> dict[str, Json]:
    return {
        "items": [item.to_json() for item in new.reservation.items],
        "quota_ids": [str(quota_id) for quota_id in new.draw.quota_counts],
        "quota_counts": list(new.draw.quota_counts.values()),
        "seats": list(new.draw.seats),
    }


async def lock_with_stock(conn: Connection, organization_id: UUID, reservation_id: UUID) -> Record:
    """Lock the stock of a reservation's session, then the reservation. Raises ``ReservationNotFound``."""
    session_id = await find_session(conn, organization_id, reservation_id)
    if session_id is None:
        raise ReservationNotFound
    await lock_stock(conn, organization_id, session_id)
    row = await lock_reservation(conn, organization_id, reservation_id)
    if row is None:
        raise ReservationNotFound
    return row


async def lock_reservation(conn: Connection, organization_id: UUID, reservation_id: UUID) -> Record | None:
    """Lock one reservation; who will lock its session's stock as well has done so before."""
    return await conn.fetchrow(
        "SELECT * FROM reservations WHERE organization_id = $1 AND reservation_id = $2 FOR UPDATE",
        organization_id,
        reservation_id,
    )


async def lock_all_with_stock(
    conn: Connection, organization_id: UUID, session_ids: Collection[UUID], reservation_ids: Sequence[UUID]
) -> list[Record]:
    """Lock the stock of several sessions, in order of their ids, then those of their reservations that are held."""
    await lock_stocks(conn, organization_id, session_ids)
    return await conn.fetch(
        """
        SELECT * FROM reservations
        WHERE organization_id = $1 AND reservation_id = ANY ($2) AND session_id = ANY ($3) AND status = 'held'
        ORDER BY reservation_id FOR UPDATE
        """,
        organization_id,
        reservation_ids,
        session_ids,
    )


async def end_reservations(conn: Connection, organization_id: UUID, ids: Sequence[UUID], status: str) -> None:
    """Give reservations that the caller has locked their last state."""
    await conn.execute(
        """
        UPDATE reservations SET status = $3, ended_at = clock_timestamp()
        WHERE organization_id = $1 AND reservation_id = ANY ($2::uuid[])
        """,
        organization_id,
        ids,
        status,
    )


async def expire_due(conn: Connection, organization_id: UUID, session_id: UUID, count_max: int) -> list[Record]:
    """End the reservations of a session whose time has run out, at most so many, oldest first."""
    return await conn.fetch(
        """
        UPDATE reservations r SET status = 'expired', ended_at = clock_timestamp()
        FROM (
            SELECT reservation_id FROM reservations
            WHERE organization_id = $1 AND session_id = $2 AND status = 'held' AND expires_at <= clock_timestamp()
            ORDER BY expires_at LIMIT $3 FOR UPDATE
        ) due
        WHERE r.organization_id = $1 AND r.reservation_id = due.reservation_id
        RETURNING r.reservation_id, r.quota_ids, r.quota_counts, r.seats, r.allocation_id
        """,
        organization_id,
        session_id,
        count_max,
    )


async def set_expiry(conn: Connection, organization_id: UUID, reservation_id: UUID, expires_at: datetime) -> Record:
    """Move the deadline of a held reservation, which the caller has locked, and return it."""
    text = "UPDATE reservations SET expires_at = $3 WHERE organization_id = $1 AND reservation_id = $2 RETURNING *"
    row = await conn.fetchrow(text, organization_id, reservation_id, expires_at)
    assert row is not None  # noqa: S101 (it is locked)
    return row


async def reseat_reservation(conn: Connection, reservation: Reservation, draw: Draw) -> None:
    """Give an ended reservation other places and make it sold: late money found its own gone."""
    await conn.execute(
        """
        UPDATE reservations SET status = 'sold', ended_at = clock_timestamp(), items = $3, quota_ids = $4,
                                quota_counts = $5, seats = $6
        WHERE organization_id = $1 AND reservation_id = $2
        """,
        reservation.organization_id,
        reservation.reservation_id,
        [item.to_json() for item in reservation.items],
        list(draw.quota_counts),
        list(draw.quota_counts.values()),
        list(draw.seats),
    )


async def insert_stock(
    conn: Connection, organization_id: UUID, session_id: UUID, seat_map_id: UUID | None, seat_count: int
) -> None:
    """Open the stock of a new session: its lock row and a row for each seat."""
    await conn.execute(
        "INSERT INTO stock (organization_id, session_id, seat_map_id) VALUES ($1, $2, $3)",
        organization_id,
        session_id,
        seat_map_id,
    )
    if seat_count:
        await conn.execute(
            """
            INSERT INTO seats (organization_id, session_id, seat_index)
            SELECT $1, $2, seat_index FROM generate_series(0, $3 - 1) AS seat_index
            """,
            organization_id,
            session_id,
            seat_count,
        )


async def insert_quotas(conn: Connection, organization_id: UUID, session_id: UUID, quotas: Sequence[NewQuota]) -> None:
    """Open quotas of a session."""
    await conn.execute(
        """
        INSERT INTO quotas (organization_id, session_id, quota_id, kind, name, capacity)
        SELECT $1, $2, q.* FROM unnest($3::uuid[], $4::text[], $5::text[], $6::integer[]) AS q
        """,
        organization_id,
        session_id,
        [quota.quota_id for quota in quotas],
        [quota.kind for quota in quotas],
        [quota.name for quota in quotas],
        [quota.capacity for quota in quotas],
    )


async def delete_stock(conn: Connection, organization_id: UUID, session_id: UUID) -> bool:
    """Delete stock of which nothing was ever held or blocked; False where something was."""
    tag = await conn.execute(
        """
        DELETE FROM stock WHERE organization_id = $1 AND session_id = $2 AND NOT ever_held
          AND NOT EXISTS (SELECT FROM allocations WHERE organization_id = $1 AND session_id = $2)
        """,
        organization_id,
        session_id,
    )
    if tag != "DELETE 1":
        return False
    await conn.execute("DELETE FROM seats WHERE organization_id = $1 AND session_id = $2", organization_id, session_id)
    await conn.execute("DELETE FROM quotas WHERE organization_id = $1 AND session_id = $2", organization_id, session_id)
    await conn.execute(
        "DELETE FROM stock_changes WHERE organization_id = $1 AND session_id = $2", organization_id, session_id
    )
    return True


async def lock_quota(conn: Connection, organization_id: UUID, session_id: UUID, quota_id: UUID) -> Record | None:
    """Lock one counter; the caller holds the stock's lock."""
    return await conn.fetchrow(
        """
        SELECT capacity, held, sold, blocked FROM quotas
        WHERE organization_id = $1 AND session_id = $2 AND quota_id = $3 FOR UPDATE
        """,
        organization_id,
        session_id,
        quota_id,
    )


async def insert_allocation(
    conn: Connection, terms: SessionTerms, allocation_id: UUID, new: NewAllocation, draw: Draw
) -> None:
    """Write an allocation with what it blocks."""
    await conn.execute(
        """
        INSERT INTO allocations (organization_id, session_id, allocation_id, name, reason, release_at,
                                 quota_ids, quota_counts, seats)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        terms.organization_id,
        terms.session_id,
        allocation_id,
        new.name,
        new.reason,
        new.release_at,
        list(draw.quota_counts),
        list(draw.quota_counts.values()),
        list(draw.seats),
    )


async def end_allocation(
    conn: Connection, organization_id: UUID, session_id: UUID, allocation_id: UUID
) -> Record | None:
    """Mark a blocked allocation as released, and return what it blocked; None where it was not blocked."""
    return await conn.fetchrow(
        """
        UPDATE allocations SET status = 'released', released_at = clock_timestamp()
        WHERE organization_id = $1 AND session_id = $2 AND allocation_id = $3 AND status = 'blocked'
        RETURNING quota_ids, quota_counts, seats
        """,
        organization_id,
        session_id,
        allocation_id,
    )
