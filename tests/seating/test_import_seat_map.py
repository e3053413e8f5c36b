"""What a file becomes, and what is said about one that is wrong."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from seating.documents import fullhouse_document, pretix_document

from fullhouse.core.errors import Kind
from fullhouse.seating.formats.fullhouse import write_fullhouse_format
from fullhouse.seating.import_seat_map import import_seat_map, seat_map_from
from fullhouse.seating.rules import Point, SeatMap, SeatMapInvalid

Change = Callable[[dict[str, Any]], object]


def seats_of(document: dict[str, Any], row: int = 0) -> list[dict[str, Any]]:
    seats: list[dict[str, Any]] = document["sections"][0]["rows"][row]["seats"]
    return seats


def errors_of(document: object) -> dict[str, str]:
    with pytest.raises(SeatMapInvalid) as raised:
        import_seat_map(json.dumps(document))
    assert raised.value.kind is Kind.INVALID
    errors = cast("list[dict[str, str]]", raised.value.fields["errors"])
    assert raised.value.fields["error_count"] == len(errors)
    return {error["field"]: error["message"] for error in errors}


def test_our_own_form_is_read_whole() -> None:
    read = import_seat_map(json.dumps(fullhouse_document()).encode())
    assert read.name == "Small Hall"
    assert [(one.key, one.name, one.color) for one in read.price_categories] == [
        ("front", "Front", "#aa3355"),
        ("back", "back", None),
        ("floor", "floor", "teal"),
    ]
    assert [(one.key, one.name, one.rank, one.best_place) for one in read.sections] == [
        ("stalls", "Stalls", 0, Point(0.5, 1.0)),
        ("box", "box", 7, Point(9.0, 4.0)),
    ]
    assert [(one.index, one.key, one.label, one.price_category) for one in read.seats] == [
        (0, "stalls-A-1", "Stalls, Row A, 1", "front"),
        (1, "stalls-A-2", "Stalls, Row A, 2", "front"),
        (2, "stalls-A-3", "The good one", "back"),
        (3, "B1", "Stalls, Bench B, 1", "back"),
        (4, "stalls-B-2", "Stalls, Bench B, 2", "back"),
        (5, "box-1-1", "box, Row 1, 1", "back"),
    ]
    assert [(one.x, one.y) for one in read.seats] == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1.5), (9, 4)]
    assert [one.key for one in read.seats if one.accessible] == ["stalls-A-1"]
    assert read.seats[0].companions == ("stalls-A-2",)
    assert [(one.key, one.capacity, one.price_category, len(one.outline)) for one in read.areas] == [
        ("pit", 50, "floor", 4)
    ]
    assert [(one.name, len(one.outline)) for one in read.landmarks] == [("Stage", 3)]
    assert (read.seat_count, read.place_count) == (6, 56)
    assert read.places_by_category == {"front": 2, "back": 4, "floor": 50}
    assert (read.find_seat("B1"), read.find_seat("The good one"), read.find_seat("nowhere")) == (3, 2, None)


def test_what_is_written_is_read_back_equal() -> None:
    for document in (fullhouse_document(), pretix_document()):
        read = seat_map_from(document)
        assert same(seat_map_from(write_fullhouse_format(read)), read)


def test_a_map_may_have_areas_alone() -> None:
    read = seat_map_from(fullhouse_document() | {"sections": []})
    assert (read.seat_count, read.place_count) == (0, 50)


def test_one_section_needs_no_name_in_its_labels() -> None:
    document = fullhouse_document()
    del document["sections"][1]
    assert seat_map_from(document).seats[0].label == "Row A, 1"


def test_a_label_of_two_seats_finds_neither() -> None:
    document = fullhouse_document()
    document["sections"][0]["rows"][0]["seats"][1]["label"] = "The good one"
    read = seat_map_from(document)
    assert read.ambiguous_labels == ("The good one",)
    assert read.find_seat("The good one") is None
    assert read.find_seat("stalls-A-3") == 2


def test_a_plan_of_pretix_is_read() -> None:
    read = seat_map_from(pretix_document())
    assert read.name == "Community Hall"
    assert [(one.key, one.name, one.color) for one in read.price_categories] == [
        ("Stalls", "Stalls", "#33ffff"),
        ("Gallery", "Gallery", None),
    ]
    assert [(one.key, one.name, one.rank, [row.key for row in one.rows]) for one in read.sections] == [
        ("ground", "Ground floor", 0, ["1", "2", "2-2"]),
        ("Zone 2", "Zone 2", 1, ["1"]),
    ]
    assert [(one.key, one.label, one.x, one.y, one.price_category) for one in read.seats] == [
        ("Ground-1-1", "Ground floor, Row 1, 1", 110, 70, "Stalls"),
        ("Ground-1-2", "Ground floor, Row 1, 2", 140, 70, "Stalls"),
        ("Ground-2-1", "Ground floor, Second row (2), place 1", 110, 100, "Stalls"),
        ("Ground-2-9", "Ground floor, Row 2, 9", 300, 100, "Stalls"),
        ("Gallery-1-1", "Zone 2, Row 1, 1", 0, 300, "Gallery"),
    ]
    assert read.sections[0].best_place == Point(125, 70)
    assert not any(one.accessible for one in read.seats)
    assert [(one.name, one.outline) for one in read.landmarks] == [
        ("Stage", (Point(100, 10), Point(100, 210), Point(70, 210), Point(70, 10))),
        ("Exit", (Point(105, 56),)),
    ]
    assert read.areas == ()


def test_an_older_plan_of_pretix_writes_areas_flat() -> None:
    document = pretix_document()
    document["zones"][0]["areas"] = [{"width": 40, "height": 20, "position": {"x": 0, "y": 0}, "text": "Bar"}]
    assert [(one.name, len(one.outline)) for one in seat_map_from(document).landmarks] == [("Bar", 4)]


def test_every_problem_is_told_with_its_place() -> None:
    document = fullhouse_document()
    rows = document["sections"][0]["rows"]
    rows[0]["seats"][0]["x"] = "left"
    rows[0]["seats"][1] |= {"key": "stalls-A-1", "accesible": True}
    rows[0]["seats"][2]["price_category"] = "middle"
    rows[1]["seats"][0] = 17
    document["sections"][1]["key"] = "pit"
    document["areas"][0]["capacity"] = 0
    document["price_categories"][1]["key"] = "front"
    document["colour"] = "red"
    assert errors_of(document) == {
        "colour": "is not known here",
        "price_categories[1].key": "the price category 'front' is there already",
        "sections[0].price_category": "there is no price category 'back'",
        "sections[0].rows[0].seats[0].x": "must be a number, not a text",
        "sections[0].rows[0].seats[1].accesible": "is not known here",
        "sections[0].rows[0].seats[2].price_category": "there is no price category 'middle'",
        "sections[0].rows[0].seats[1]": "the seat 'stalls-A-1' is there already",
        "sections[0].rows[1].seats[0]": "must be an object, not a number",
        "sections[0].rows[1].seats[0].number": "is missing",
        "sections[0].rows[1].seats[0].x": "is missing",
        "sections[0].rows[1].seats[0].y": "is missing",
        "sections[0].rows[0].seats[0].companions[0]": "there is no seat 'stalls-A-2'",
        "sections[1].rows[0].price_category": "there is no price category 'back'",
        "areas[0].capacity": "must be from 1 to 1,000,000",
        "areas[0].key": "a section or area 'pit' is there already",
    }


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        (lambda it: it.pop("name"), "name", "is missing"),
        (lambda it: it.update(name=" "), "name", "may not be empty"),
        (lambda it: it.update(name="a\nb"), "name", "may not hold line breaks or other control characters"),
        (lambda it: it.update(name="\ud800"), "name", "may not hold line breaks or other control characters"),
        (lambda it: it.update(name="x" * 201), "name", "may have 200 characters at most, not 201"),
        (lambda it: it.update(version=2), "version", "must be 1: no other version of the format is known"),
        (lambda it: it.update(format="other"), "format", "must be 'fullhouse-seat-map'"),
        (lambda it: it.update(sections={}), "sections", "must be a list, not an object"),
        (lambda it: it["sections"][0].update(rows=[]), "sections[0].rows", "must have a row at least"),
        (
            lambda it: it["sections"][0]["rows"][1].update(seats=[]),
            "sections[0].rows[1].seats",
            "must have a seat at least",
        ),
        (
            lambda it: (it["sections"][0]["rows"][1].update(key="A"), seats_of(it, 1)[1].update(number="9")),
            "sections[0].rows[1].key",
            "the row 'A' is there already in this section",
        ),
        (lambda it: it["sections"][0].update(rank=-1), "sections[0].rank", "must be from 0 to 10,000"),
        (lambda it: it["sections"][0].update(rank=1.0), "sections[0].rank", "must be a whole number, not a number"),
        (lambda it: it["sections"][0]["best_place"].pop("y"), "sections[0].best_place.y", "is missing"),
        (
            lambda it: seats_of(it)[0].update(x=1e7),
            "sections[0].rows[0].seats[0].x",
            "must be from -1,000,000 to 1,000,000",
        ),
        (
            lambda it: seats_of(it)[0].update(x=True),
            "sections[0].rows[0].seats[0].x",
            "must be a number, not true",
        ),
        (
            lambda it: seats_of(it)[1].update(accessible=1),
            "sections[0].rows[0].seats[1].accessible",
            "must be true or false, not a number",
        ),
        (
            lambda it: seats_of(it)[1].update(companions=["stalls-A-3"]),
            "sections[0].rows[0].seats[1].companions",
            "only an accessible seat has companions",
        ),
        (
            lambda it: seats_of(it)[0].update(companions=["stalls-A-1"]),
            "sections[0].rows[0].seats[0].companions[0]",
            "is itself an accessible seat",
        ),
        (
            lambda it: seats_of(it)[0].update(companions=["box-1-1"]),
            "sections[0].rows[0].seats[0].companions[0]",
            "is in another section",
        ),
        (
            lambda it: seats_of(it)[0].update(companions=["stalls-A-2", "stalls-A-2"]),
            "sections[0].rows[0].seats[0].companions[1]",
            "is there already",
        ),
        (
            lambda it: seats_of(it)[0].update(companions=[None]),
            "sections[0].rows[0].seats[0].companions[0]",
            "must be the key of a seat",
        ),
        (
            lambda it: it["sections"][1]["rows"][0].pop("price_category"),
            "sections[1].rows[0].seats[0].price_category",
            "is missing, here and in the row and the section",
        ),
        (lambda it: it["areas"][0].pop("price_category"), "areas[0].price_category", "is missing"),
        (lambda it: it["areas"][0].update(capacity=10**400), "areas[0].capacity", "must be from 1 to 1,000,000"),
        (
            lambda it: it["areas"][0]["outline"].append([1, "2"]),
            "areas[0].outline[4]",
            "must be a pair of numbers from -1,000,000 to 1,000,000",
        ),
        (lambda it: it["landmarks"][0].update(outline=[]), "landmarks[0].outline", "must have a point at least"),
        (
            lambda it: it["price_categories"][0].update(color="url(x)"),
            "price_categories[0].color",
            "must be a colour such as #aa3355 or teal",
        ),
    ],
)
def test_one_mistake_gives_one_error(change: Change, field: str, message: str) -> None:
    document = fullhouse_document()
    change(document)
    assert errors_of(document) == {field: message}


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        (lambda it: it.pop("name"), "name", "is missing"),
        (lambda it: it["categories"].append({}), "categories[2].name", "is missing"),
        (lambda it: it.update(zones=3), "zones", "must be a list, not a number"),
        (lambda it: it["zones"][1].update(position=[]), "zones[1].position", "must be an object, not a list"),
        (lambda it: it["zones"][0].update(rows="x"), "zones[0].rows", "must be a list, not a text"),
        (
            lambda it: it["zones"][0]["rows"][0]["seats"][1].update(seat_guid="Ground-1-1"),
            "zones[0].rows[0].seats[1]",
            "the seat 'Ground-1-1' is there already",
        ),
        (
            lambda it: it["zones"][0]["rows"][1]["seats"][0].update(category="Terrace"),
            "zones[0].rows[1].seats[0].category",
            "there is no price category 'Terrace'",
        ),
        (
            lambda it: it["zones"][0]["rows"][1]["seats"][0].pop("position"),
            "zones[0].rows[1].seats[0].position",
            "is missing",
        ),
        (
            lambda it: it["zones"][0]["rows"][1]["seats"][0].update(position={"x": 999_999, "y": 0}),
            "zones[0].rows[1].seats[0].position",
            "lies more than 1,000,000 from the origin of the plan",
        ),
    ],
)
def test_a_mistake_in_a_plan_of_pretix_is_named(change: Change, field: str, message: str) -> None:
    document = pretix_document()
    change(document)
    assert errors_of(document) == {field: message}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "is not JSON: Expecting value in line 1, column 1"),
        (b'{"name": \n"x"', "is not JSON: Expecting ',' delimiter in line 2, column 4"),
        (b"\xff\xfe", "is not UTF-8 (byte 0)"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"x": NaN}', "is not JSON: NaN is not a number of JSON"),
        (b'{"x": -Infinity}', "is not JSON: -Infinity is not a number of JSON"),
        (b"[]", "must be an object, not a list"),
        (b"null", "must be an object, not null"),
        (b"{}", "is no seat map: it has neither sections or areas, nor the zones of a pretix seating plan"),
        (b'{"name": "x", "zones": [], "categories": []}', "has no seats and no areas"),
        (b'{"name": "x", "sections": []}', "has no seats and no areas"),
    ],
)
def test_what_is_no_seat_map_at_all_is_said_of_the_document(raw: bytes, message: str) -> None:
    with pytest.raises(SeatMapInvalid) as raised:
        import_seat_map(raw)
    assert raised.value.fields["errors"] == [{"field": "the document", "message": message}]
    assert raised.value.detail == f"the document: {message}"


def test_a_number_of_very_many_digits_is_refused() -> None:
    with pytest.raises(SeatMapInvalid, match="is not JSON"):
        import_seat_map('{"sections": ' + "1" * 5_000 + "}")


def test_a_byte_order_mark_is_no_harm() -> None:
    assert import_seat_map(b"\xef\xbb\xbf" + json.dumps(fullhouse_document()).encode()).seat_count == 6


def test_the_first_fifty_problems_are_shown_and_all_counted() -> None:
    document = fullhouse_document()
    document["sections"][0]["rows"][0]["seats"] = [{} for _ in range(100)]
    with pytest.raises(SeatMapInvalid) as raised:
        seat_map_from(document)
    fields = raised.value.fields
    assert len(cast("list[object]", fields["errors"])) == 50
    assert fields["error_count"] == 300
    assert raised.value.detail == "sections[0].rows[0].seats[0].number: is missing (and 299 more)"


def test_more_seats_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fullhouse.seating.formats.map_builder.SEATS_MAX", 4)
    assert errors_of(fullhouse_document()) == {"sections[0].rows[1].key": "a map may have 4 seats at most"}


def test_a_list_that_is_too_long_is_refused() -> None:
    document = fullhouse_document()
    document["sections"][0]["rows"][1]["seats"] = [{"number": str(at), "x": at, "y": 1} for at in range(1_001)]
    assert errors_of(document) == {
        "sections[0].rows[1].seats": "may have 1,000 items at most, not 1,001",
    }


def same(one: SeatMap, other: SeatMap) -> bool:
    """Compare two maps by all that they hold."""
    return all(
        getattr(one, part) == getattr(other, part)
        for part in ("name", "price_categories", "sections", "areas", "landmarks")
    )
