"""Changes of allocations and of what was reserved from them. The caller holds the lock of the session's stock."""

from collections.abc import Collection, Sequence
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.reservations.blocked.allocation import Allocation


async def lock_allocations(
    conn: Connection, organization_id: UUID, session_id: UUID, allocation_ids: Collection[UUID]
) -> dict[UUID, Allocation]:
    """Lock those of a session's allocations that are still blocked."""
    rows = await conn.fetch(
        """
        SELECT allocation_id, quota_ids, quota_counts, seats FROM allocations
        WHERE organization_id = $1 AND session_id = $2 AND allocation_id = ANY ($3) AND status = 'blocked'
        ORDER BY allocation_id FOR UPDATE
        """,
        organization_id,
        session_id,
        list(allocation_ids),
    )
    return {
        row["allocation_id"]: Allocation(
            row["allocation_id"], dict(zip(row["quota_ids"], row["quota_counts"], strict=True)), row["seats"]
        )
        for row in rows
    }


async def set_allocations(
    conn: Connection, organization_id: UUID, session_id: UUID, allocations: Sequence[Allocation]
) -> None:
    """Write down what is still blocked of allocations."""
    await conn.executemany(
        """
        UPDATE allocations SET quota_ids = $4, quota_counts = $5, seats = $6
        WHERE organization_id = $1 AND session_id = $2 AND allocation_id = $3
        """,
        [
            (
                organization_id,
                session_id,
                one.allocation_id,
                list(one.quota_counts),
                list(one.quota_counts.values()),
                one.seats,
            )
            for one in allocations
        ],
    )


async def set_key(
    conn: Connection, organization_id: UUID, session_id: UUID, allocation_id: UUID, hashed: bytes
) -> None:
    """Let whoever has a key sell from an allocation."""
    await conn.execute(
        "UPDATE allocations SET key_hash = $4 WHERE organization_id = $1 AND session_id = $2 AND allocation_id = $3",
        organization_id,
        session_id,
        allocation_id,
        hashed,
    )


async def note_allocation(conn: Connection, organization_id: UUID, reservation_id: UUID, allocation_id: UUID) -> None:
    """Note which allocation a reservation was taken from, so that it goes back there."""
    await conn.execute(
        "UPDATE reservations SET allocation_id = $3 WHERE organization_id = $1 AND reservation_id = $2",
        organization_id,
        reservation_id,
        allocation_id,
    )
