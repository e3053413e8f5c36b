"""Publish a seat map: store it as an immutable version."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.directory import register
from fullhouse.infra.postgres import Connection
from fullhouse.seating.formats.fullhouse import write_fullhouse_format
from fullhouse.seating.rules import SeatMap
from fullhouse.seating.writes import insert_seat_map, lock_name


@dataclass(frozen=True, slots=True)
class PublishedSeatMap:
    """What publishing made: the id that sessions refer to, and the version among maps of the same name."""

    seat_map_id: UUID
    version: int
    created_at: datetime
    seat_map: SeatMap


async def publish_seat_map(
    conn: Connection, make_id: MakeId, organization_id: UUID, seat_map: SeatMap
) -> PublishedSeatMap:
    """Store a map as the next version of its name. It never changes again: a change is the version after it."""
    seat_map_id = make_id()
    await lock_name(conn, organization_id, seat_map.name)
    document = write_fullhouse_format(seat_map)
    version, created_at = await insert_seat_map(conn, organization_id, seat_map_id, seat_map, document)
    await register(conn, "seat_map", organization_id, [seat_map_id])
    await record(conn, organization_id, Act("seat_map.publish", "seat_map", seat_map_id, {"version": version}))
    return PublishedSeatMap(seat_map_id, version, created_at, seat_map)
