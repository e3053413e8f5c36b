"""Reading seat maps. A published map never changes, so each process parses one once and keeps the last ones."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.infra.shared_work import SharedWork
from fullhouse.seating.choosing.room import room_of
from fullhouse.seating.import_seat_map import import_seat_map
from fullhouse.seating.rules import SeatMap, SeatMapNotFound

SEATS_KEPT_MAX: Final = 500_000
"""About 250 MB of maps at the very most. The map used last is kept whatever its size."""


@dataclass(frozen=True, slots=True)
class StoredSeatMap:
    """A published map as it is stored: ``document`` is JSON text in our own form."""

    seat_map_id: UUID
    name: str
    version: int
    seat_count: int
    area_count: int
    place_count: int
    created_at: datetime
    document: str


class ParsedMaps:
    """The maps used last, by organization and id, bounded by their seats together."""

    def __init__(self, seats_max: int = SEATS_KEPT_MAX) -> None:
        """Begin empty."""
        self._seats_max = seats_max
        self._seats = 0
        self._maps: OrderedDict[tuple[UUID, UUID], SeatMap] = OrderedDict()

    def find(self, key: tuple[UUID, UUID]) -> SeatMap | None:
        """Return a map that is kept, and note that it was used."""
        seat_map = self._maps.get(key)
        if seat_map is not None:
            self._maps.move_to_end(key)
        return seat_map

    def keep(self, key: tuple[UUID, UUID], seat_map: SeatMap) -> SeatMap:
        """Keep a map, or return the equal one that somebody else was faster to keep."""
        known = self.find(key)
        if known is not None:
            return known
        self._maps[key] = seat_map
        self._seats += seat_map.seat_count
        while self._seats > self._seats_max and len(self._maps) > 1:
            _, dropped = self._maps.popitem(last=False)
            self._seats -= dropped.seat_count
        return seat_map


_parsed = ParsedMaps()
_parsing = SharedWork[tuple[UUID, UUID], SeatMap]("parse seat map")


async def load_seat_map(conn: Connection, organization_id: UUID, seat_map_id: UUID) -> SeatMap:
    """Return a published map, the same object as long as it is kept. Raises ``SeatMapNotFound``.

    A map that is not kept is parsed in a thread, once for all who ask meanwhile: 20,000 seats take some tenths of a
    second, and 200,000 some hundred megabytes.
    """
    key = (organization_id, seat_map_id)
    seat_map = _parsed.find(key)
    if seat_map is not None:
        return seat_map
    stored = await load_stored_seat_map(conn, organization_id, seat_map_id)

    async def parse_and_keep() -> SeatMap:
        return _parsed.keep(key, await asyncio.to_thread(_parse, stored.document))

    # Others may have begun, or ended, while it was read.
    return _parsed.find(key) or await _parsing.get(key, parse_and_keep)


def _parse(document: str) -> SeatMap:
    """Parse a map, and work out its geometry while nobody waits: every desk on the map asks for it."""
    seat_map = import_seat_map(document)
    room_of(seat_map)
    return seat_map


async def load_stored_seat_map(conn: Connection, organization_id: UUID, seat_map_id: UUID) -> StoredSeatMap:
    """Return a published map as it is stored. Raises ``SeatMapNotFound``."""
    row = await conn.fetchrow(
        """
        SELECT seat_map_id, name, version, seat_count, area_count, place_count, created_at, document::text AS document
        FROM seat_maps WHERE organization_id = $1 AND seat_map_id = $2
        """,
        organization_id,
        seat_map_id,
    )
    if row is None:
        raise SeatMapNotFound
    return StoredSeatMap(**row)
