"""No file, however broken, gives anything but a map or ``SeatMapInvalid``; what was read is stored as it is."""

import copy
import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from seating.documents import fullhouse_document, pretix_document

from fullhouse.core.json import Json
from fullhouse.seating.best_available import SeatChooser, SeatWish
from fullhouse.seating.formats.fullhouse import write_fullhouse_format
from fullhouse.seating.import_seat_map import import_seat_map, seat_map_from
from fullhouse.seating.rules import SeatMap, SeatMapInvalid

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-5, 5)
    | st.floats()
    | st.text(max_size=8)
    | st.text(st.characters(exclude_categories=[]), max_size=4)
    | st.sampled_from(["stalls-A-1", "front", "Stalls", "1", "%s", " ", "x" * 300, "Ground-1-1", "\ud800", "\x00"])
)
NAMES = st.sampled_from(
    "key name number seats rows sections areas zones x y label price_category companions accessible rank outline color "
    "capacity position row_number row_label seat_label seat_guid seat_number category zone_id text shape polygon "
    "points ellipse radius rotation format version".split()
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)


def places_in(value: object, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [before, *(place for step, inner in steps for place in places_in(inner, (*before, step)))]


@st.composite
def broken_documents(draw: st.DrawFn) -> Json:
    document: Any = copy.deepcopy(draw(st.sampled_from([fullhouse_document(), pretix_document()])))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.sampled_from(places_in(document)))
        if not place:
            continue
        parent = document
        for step in place[:-1]:
            parent = parent[step]
        change = draw(st.sampled_from(["replace", "replace", "remove", "repeat", "add"]))
        if change == "replace":
            parent[place[-1]] = draw(VALUES)
        elif change == "remove":
            del parent[place[-1]]
        elif change == "repeat" and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[place[-1]]))
        elif isinstance(parent, dict):
            parent[draw(NAMES)] = draw(VALUES)
    return document


def check(seat_map: SeatMap) -> None:
    """Check that a map that was read can be stored, is found again as it was, and can be sold."""
    stored = json.dumps(write_fullhouse_format(seat_map), allow_nan=False, ensure_ascii=False).encode()
    assert b"\x00" not in stored
    again = import_seat_map(stored)
    assert again.sections == seat_map.sections
    assert (again.name, again.areas, again.landmarks) == (seat_map.name, seat_map.areas, seat_map.landmarks)
    assert again.price_categories == seat_map.price_categories
    assert [seat.index for seat in again.seats] == list(range(again.seat_count))
    assert again.place_count == sum(again.places_by_category.values()) > 0
    free = range(seat_map.seat_count)
    ordinary = sum(not seat.accessible for seat in seat_map.seats)
    for count in (1, 2, 4):
        chosen = SeatChooser(seat_map, free).choose(count, wish=SeatWish(None))
        assert (chosen is None) == (ordinary < count)


def read_or_refused(read: Callable[[], SeatMap]) -> None:
    """Check what comes of a file: a sound map, or an error that can be answered."""
    seat_map: SeatMap | None = None
    refused: SeatMapInvalid | None = None
    try:
        seat_map = read()
    except SeatMapInvalid as invalid:
        refused = invalid
    if seat_map is not None:
        check(seat_map)
    if refused is not None:
        assert refused.fields["errors"]
        json.dumps(refused.fields, allow_nan=False, ensure_ascii=False).encode()


@given(broken_documents())
@settings(max_examples=600, deadline=None)
def test_a_broken_document_is_read_or_refused(document: Json) -> None:
    read_or_refused(lambda: seat_map_from(document))


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_any_value_is_read_or_refused(document: Json) -> None:
    read_or_refused(lambda: seat_map_from(document))


@given(st.binary(max_size=60), st.integers(0, 3_000), st.sampled_from([fullhouse_document, pretix_document]))
@settings(max_examples=300, deadline=None)
def test_broken_bytes_are_read_or_refused(noise: bytes, at: int, document: Callable[[], Json]) -> None:
    raw = json.dumps(document()).encode()
    read_or_refused(lambda: import_seat_map(raw[:at] + noise + raw[at + len(noise) :]))
