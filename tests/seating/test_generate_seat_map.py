"""The maps that come with Fullhouse."""

import json
from itertools import pairwise
from math import hypot
from typing import get_args

import pytest

from fullhouse.operations.generate_seat_map import RoomKind, generate_document, generate_seat_map
from fullhouse.seating.best_available import SeatChooser, SeatWish
from fullhouse.seating.choosing.room import NO_SEAT, room_of
from fullhouse.seating.formats.fullhouse import write_fullhouse_format
from fullhouse.seating.import_seat_map import import_seat_map, seat_map_from

KINDS: tuple[RoomKind, ...] = get_args(RoomKind)


def test_the_theatre_has_1200_seats_in_stalls_and_balcony() -> None:
    theatre = generate_seat_map("theatre")
    assert (theatre.seat_count, theatre.place_count) == (1_200, 1_200)
    assert theatre.places_by_category == {"premium": 325, "stalls": 425, "balcony": 450}
    assert [(one.key, sum(len(row.seats) for row in one.rows), len(one.rows)) for one in theatre.sections] == [
        ("stalls", 750, 20),
        ("balcony", 450, 10),
    ]
    assert theatre.seats[0].label == "Stalls, Row A, 1"
    assert sum(seat.accessible for seat in theatre.seats) == 12


def test_the_rows_of_the_theatre_curve_around_the_stage() -> None:
    for row in (row for section in generate_seat_map("theatre").sections for row in section.rows):
        middle = max(seat.y for seat in row.seats)
        assert row.seats[0].y < middle
        assert row.seats[-1].y < middle
        assert row.seats[0].x == pytest.approx(-row.seats[-1].x, abs=0.02)


def test_the_arena_has_20000_seats_and_standing_room() -> None:
    arena = generate_seat_map("arena")
    assert (arena.seat_count, arena.place_count) == (20_000, 25_000)
    assert len(arena.sections) == 44
    assert [(area.key, area.capacity) for area in arena.areas] == [("golden-circle", 1_000), ("floor", 4_000)]
    assert sum(seat.accessible for seat in arena.seats) == 176


def test_the_club_has_areas_and_tables() -> None:
    club = generate_seat_map("club")
    assert [(area.key, area.capacity) for area in club.areas] == [("floor", 400), ("bar", 120)]
    assert club.places_by_category == {"floor": 400, "bar": 120, "seats": 10, "tables": 64}
    wish = SeatWish(frozenset({"tables"}))
    chosen = SeatChooser(club, range(club.seat_count)).choose(4, wish=wish)
    assert chosen is not None
    assert len({club.seats[seat].label.rpartition(",")[0] for seat in chosen}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_generated_map_is_always_the_same_and_stays_so_when_stored(kind: RoomKind) -> None:
    document = generate_document(kind)
    assert document == generate_document(kind)
    read = seat_map_from(document)
    stored = import_seat_map(json.dumps(write_fullhouse_format(read)))
    assert stored.sections == read.sections
    assert read.ambiguous_labels == ()
    assert len(read.index_by_key) == read.seat_count


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_seats_stand_in_one_place(kind: RoomKind) -> None:
    cells: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for seat in generate_seat_map(kind).seats:
        column, line = int(seat.x // 1), int(seat.y // 1)
        near = (spot for x in (-1, 0, 1) for y in (-1, 0, 1) for spot in cells.get((column + x, line + y), []))
        assert all(hypot(seat.x - x, seat.y - y) > 0.4 for x, y in near)
        cells.setdefault((column, line), []).append((seat.x, seat.y))


@pytest.mark.parametrize("kind", KINDS)
def test_every_accessible_seat_has_a_companion_beside_it(kind: RoomKind) -> None:
    read = generate_seat_map(kind)
    beside = {frozenset(pair) for lane in room_of(read).lanes for pair in pairwise(lane.seats) if NO_SEAT not in pair}
    accessible = [seat for seat in read.seats if seat.accessible]
    assert accessible
    for seat in accessible:
        assert len(seat.companions) == 1
        assert frozenset({seat.index, read.index_by_key[seat.companions[0]]}) in beside


def test_the_theatre_has_two_aisles_in_every_row_and_the_arena_none() -> None:
    assert {lane.seats.count(NO_SEAT) for lane in room_of(generate_seat_map("theatre")).lanes} == {2}
    assert {lane.seats.count(NO_SEAT) for lane in room_of(generate_seat_map("arena")).lanes} == {0}
