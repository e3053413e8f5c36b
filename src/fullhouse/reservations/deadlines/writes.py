"""Locking and moving deadlines. Lock order: stock, seats by index, reservations by id."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record


async def lock_stocks(conn: Connection, organization_id: UUID, session_ids: Collection[UUID]) -> None:
    """Lock the stock of several sessions, in order of their ids."""
    await conn.execute(
        "SELECT FROM stock WHERE organization_id = $1 AND session_id = ANY ($2) ORDER BY session_id FOR UPDATE",
        organization_id,
        session_ids,
    )


async def lock_deadlines(
    conn: Connection, organization_id: UUID, reservation_ids: Sequence[UUID]
) -> dict[UUID, Record]:
    """Lock reservations, in order of their ids; return state and deadline of each, and the time after its lock."""
    rows = await conn.fetch(
        """
        WITH locked AS MATERIALIZED (
            SELECT reservation_id, status, expires_at FROM reservations
            WHERE organization_id = $1 AND reservation_id = ANY ($2::uuid[])
            ORDER BY reservation_id FOR UPDATE
        )
        SELECT reservation_id, status, expires_at, clock_timestamp() AS now FROM locked
        """,
        organization_id,
        reservation_ids,
    )
    return {row["reservation_id"]: row for row in rows}


async def set_expiries(conn: Connection, organization_id: UUID, deadlines: Mapping[UUID, datetime]) -> None:
    """Move the deadlines of held reservations, which the caller has locked."""
    await conn.execute(
        """
        UPDATE reservations r SET expires_at = d.expires_at
        FROM unnest($2::uuid[], $3::timestamptz[]) AS d(reservation_id, expires_at)
        WHERE r.organization_id = $1 AND r.reservation_id = ANY ($2::uuid[]) AND r.reservation_id = d.reservation_id
        """,
        organization_id,
        list(deadlines),
        list(deadlines.values()),
    )
