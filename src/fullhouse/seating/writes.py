"""Writing seat maps. They are only ever inserted."""

from datetime import datetime
from uuid import UUID

from fullhouse.core.json import Json
from fullhouse.infra.postgres import Connection
from fullhouse.seating.rules import SeatMap


async def lock_name(conn: Connection, organization_id: UUID, name: str) -> None:
    """Keep others from publishing a map of this name until the transaction ends, so that versions follow."""
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('seat_maps' || chr(31) || $1 || chr(31) || $2, 0))",
        str(organization_id),
        name,
    )


async def insert_seat_map(
    conn: Connection, organization_id: UUID, seat_map_id: UUID, seat_map: SeatMap, document: Json
) -> tuple[int, datetime]:
    """Enter a map as the next version of its name. Return the version and when it was made."""
    row = await conn.fetchrow(
        """
        INSERT INTO seat_maps
            (organization_id, seat_map_id, name, version, document, seat_count, area_count, place_count)
        SELECT $1, $2, $3, coalesce(max(version), 0) + 1, $4, $5, $6, $7
        FROM seat_maps WHERE organization_id = $1 AND name = $3
        RETURNING version, created_at
        """,
        organization_id,
        seat_map_id,
        seat_map.name,
        document,
        seat_map.seat_count,
        len(seat_map.areas),
        seat_map.place_count,
    )
    if row is None:
        raise AssertionError("an aggregate without groups always gives a row")
    return row["version"], row["created_at"]
