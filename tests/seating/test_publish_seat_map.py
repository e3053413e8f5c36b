"""Published maps: immutable versions in Postgres, parsed once in each process."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from harness.web import make_seller
from seating.documents import fullhouse_document

from fullhouse.infra.directory import find_organization
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.infra.system import make_id
from fullhouse.operations.generate_seat_map import generate_seat_map
from fullhouse.seating import queries
from fullhouse.seating.import_seat_map import seat_map_from
from fullhouse.seating.publish_seat_map import PublishedSeatMap, publish_seat_map
from fullhouse.seating.queries import ParsedMaps, load_seat_map
from fullhouse.seating.rules import SeatMap, SeatMapNotFound


async def publish(pool: Pool, organization_id: UUID, seat_map: SeatMap) -> PublishedSeatMap:
    async with transaction(pool, organization_id) as conn:
        return await publish_seat_map(conn, make_id, organization_id, seat_map)


@pytest.fixture
async def organization_id(pool: Pool) -> UUID:
    return (await make_seller(pool)).organization_id


async def test_a_published_map_is_loaded_as_it_was(pool: Pool, organization_id: UUID) -> None:
    arena = generate_seat_map("arena")
    published = await publish(pool, organization_id, arena)
    assert await find_organization(pool, "seat_map", published.seat_map_id) == organization_id
    async with connection(pool, organization_id) as conn:
        loaded = await load_seat_map(conn, organization_id, published.seat_map_id)
        assert loaded.sections == arena.sections
        assert loaded.areas == arena.areas
        assert await load_seat_map(conn, organization_id, published.seat_map_id) is loaded
        row = await conn.fetchrow(
            "SELECT seat_count, area_count, place_count, name FROM seat_maps WHERE organization_id = $1",
            organization_id,
        )
    assert row is not None
    assert dict(row) == {"seat_count": 20_000, "area_count": 2, "place_count": 25_000, "name": "Harbour Arena"}


async def test_those_who_ask_at_the_same_time_parse_it_once(
    pool: Pool, organization_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large map takes much memory while it is parsed."""
    published = await publish(pool, organization_id, seat_map_from(fullhouse_document()))
    read, parsed = asyncio.Barrier(3), list[str]()
    load, parse = queries.load_stored_seat_map, queries._parse

    async def load_together(*arguments: Any) -> queries.StoredSeatMap:
        stored = await load(*arguments)
        await read.wait()
        return stored

    def count_and_parse(document: str) -> SeatMap:
        parsed.append(document)
        return parse(document)

    async def ask() -> SeatMap:
        async with connection(pool, organization_id) as conn:
            return await load_seat_map(conn, organization_id, published.seat_map_id)

    monkeypatch.setattr(queries, "load_stored_seat_map", load_together)
    monkeypatch.setattr(queries, "_parse", count_and_parse)
    one, two, three = await asyncio.gather(ask(), ask(), ask())
    assert one is two is three
    assert len(parsed) == 1
    assert not queries._parsing


async def test_each_change_is_another_version_and_the_old_one_stays(pool: Pool, organization_id: UUID) -> None:
    document = fullhouse_document()
    first = await publish(pool, organization_id, seat_map_from(document))
    document["areas"][0]["capacity"] = 70
    second = await publish(pool, organization_id, seat_map_from(document))
    other = await publish(pool, organization_id, seat_map_from(document | {"name": "Large Hall"}))
    assert (first.version, second.version, other.version) == (1, 2, 1)
    async with connection(pool, organization_id) as conn:
        capacities = [
            (await load_seat_map(conn, organization_id, one.seat_map_id)).areas[0].capacity for one in (first, second)
        ]
    assert capacities == [50, 70]


async def test_versions_follow_each_other_when_many_publish_at_once(pool: Pool, organization_id: UUID) -> None:
    seat_map = seat_map_from(fullhouse_document())
    published = await asyncio.gather(*(publish(pool, organization_id, seat_map) for _ in range(8)))
    assert sorted(one.version for one in published) == list(range(1, 9))


async def test_a_map_of_another_organization_is_not_found(pool: Pool, organization_id: UUID) -> None:
    published = await publish(pool, organization_id, seat_map_from(fullhouse_document()))
    stranger = (await make_seller(pool)).organization_id
    async with connection(pool, organization_id) as conn:
        await load_seat_map(conn, organization_id, published.seat_map_id)
        with pytest.raises(SeatMapNotFound):
            await load_seat_map(conn, stranger, published.seat_map_id)
        with pytest.raises(SeatMapNotFound):
            await load_seat_map(conn, organization_id, make_id())


def test_the_maps_kept_are_bounded_by_their_seats() -> None:
    small = seat_map_from(fullhouse_document())
    assert small.seat_count == 6
    kept = ParsedMaps(seats_max=12)
    keys = [(make_id(), make_id()) for _ in range(3)]
    for key in keys[:2]:
        assert kept.keep(key, small) is small
    assert kept.find(keys[0]) is small
    kept.keep(keys[2], small)
    assert [kept.find(key) is not None for key in keys] == [True, False, True]
    large = generate_seat_map("club")
    kept.keep(keys[1], large)
    assert [kept.find(key) is not None for key in keys] == [False, True, False]


def test_who_parsed_second_gets_the_map_of_the_first() -> None:
    kept = ParsedMaps()
    key = (make_id(), make_id())
    first, second = seat_map_from(fullhouse_document()), seat_map_from(fullhouse_document())
    assert kept.keep(key, first) is first
    assert kept.keep(key, second) is first
