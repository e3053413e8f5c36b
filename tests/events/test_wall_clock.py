"""Wall clock becomes instants, also on the days on which clocks change."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullhouse.core.errors import Invalid
from fullhouse.events.wall_clock import (
    NonexistentLocalTime,
    WallClock,
    check_time_zone,
    time_zones,
    to_instant,
    to_wall_clock,
)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "wall_clock", "expected"),
    [
        ("Europe/Lisbon", "2031-03-30T00:59", "2031-03-30T00:59"),
        ("Europe/Lisbon", "2031-03-30T02:00", "2031-03-30T01:00"),
        ("America/New_York", "2031-03-09T01:59", "2031-03-09T06:59"),
        ("America/New_York", "2031-03-09T03:00", "2031-03-09T07:00"),
        ("America/Sao_Paulo", "2018-11-03T23:59", "2018-11-04T02:59"),
        ("America/Sao_Paulo", "2018-11-04T01:00", "2018-11-04T03:00"),
        ("America/Sao_Paulo", "2031-11-04T20:00", "2031-11-04T23:00"),
        ("Asia/Kathmandu", "2031-06-01T20:00", "2031-06-01T14:15"),
        ("UTC", "2031-06-01T20:00", "2031-06-01T20:00"),
    ],
)
def test_local_time_is_one_instant(zone: str, wall_clock: str, expected: str) -> None:
    assert to_instant(WallClock(local(wall_clock)), zone, "starts_local") == instant(expected)


@pytest.mark.parametrize(
    ("zone", "wall_clock", "before", "after"),
    [
        ("Europe/Lisbon", "2031-03-30T01:00", "2031-03-30T01:00", "2031-03-30T02:00"),
        ("Europe/Lisbon", "2031-03-30T01:30", "2031-03-30T01:00", "2031-03-30T02:00"),
        ("Europe/Lisbon", "2031-03-30T01:59:59", "2031-03-30T01:00", "2031-03-30T02:00"),
        ("America/New_York", "2031-03-09T02:30", "2031-03-09T02:00", "2031-03-09T03:00"),
        ("America/Sao_Paulo", "2018-11-04T00:00", "2018-11-04T00:00", "2018-11-04T01:00"),
        ("America/Sao_Paulo", "2018-11-04T00:30", "2018-11-04T00:00", "2018-11-04T01:00"),
        ("Australia/Lord_Howe", "2031-10-05T02:15", "2031-10-05T02:00", "2031-10-05T02:30"),
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T00:00", "2011-12-31T00:00"),
    ],
)
@pytest.mark.parametrize("fold", [0, 1])
def test_time_that_clocks_skip_is_refused(zone: str, wall_clock: str, before: str, after: str, fold: int) -> None:
    with pytest.raises(NonexistentLocalTime) as refused:
        to_instant(WallClock(local(wall_clock), 1 if fold else 0), zone, "starts_local")
    assert refused.value.code == "nonexistent_local_time"
    assert refused.value.fields["valid_before"] == before
    assert refused.value.fields["valid_after"] == after
    (error,) = cast("list[dict[str, str]]", refused.value.fields["errors"])
    assert error["field"] == "starts_local"
    assert zone in error["message"]


@pytest.mark.parametrize(
    ("zone", "wall_clock", "first", "second"),
    [
        ("Europe/Lisbon", "2031-10-26T01:30", "2031-10-26T00:30", "2031-10-26T01:30"),
        ("America/New_York", "2031-11-02T01:30", "2031-11-02T05:30", "2031-11-02T06:30"),
        ("America/Sao_Paulo", "2019-02-16T23:30", "2019-02-17T01:30", "2019-02-17T02:30"),
    ],
)
def test_time_that_comes_twice_is_the_first_unless_folded(zone: str, wall_clock: str, first: str, second: str) -> None:
    assert to_instant(WallClock(local(wall_clock)), zone, "starts_local") == instant(first)
    assert to_instant(WallClock(local(wall_clock), 1), zone, "starts_local") == instant(second)
    assert to_wall_clock(instant(first), zone) == WallClock(local(wall_clock), 0)
    assert to_wall_clock(instant(second), zone) == WallClock(local(wall_clock), 1)


def test_fold_changes_nothing_where_a_time_comes_once() -> None:
    once = WallClock(local("2031-06-01T20:00"), 1)
    assert to_instant(once, "Europe/Lisbon", "starts_local") == instant("2031-06-01T19:00")


@pytest.mark.parametrize(
    "name", ["", "Europe", "Europe/Lisboa", "localtime", "Factory", "../../etc/passwd", "/etc/localtime", "UTC\n"]
)
def test_unknown_time_zones_are_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_time_zone(name)
    assert refused.value.fields["errors"] == [
        {"field": "time_zone", "message": "Write the name of an IANA time zone, such as Europe/Lisbon."}
    ]


@pytest.mark.parametrize("name", ["UTC", "Europe/Lisbon", "America/Argentina/Buenos_Aires", "Asia/Calcutta"])
def test_time_zones_and_their_aliases_are_known(name: str) -> None:
    assert check_time_zone(name) == name


@given(
    seconds=st.integers(0, 7_000_000_000),
    zone=st.sampled_from(["Europe/Lisbon", "America/New_York", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu"]),
)
def test_every_instant_survives_the_way_to_wall_clock_and_back(seconds: int, zone: str) -> None:
    moment = datetime(1975, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    assert zone in time_zones()
    assert to_instant(to_wall_clock(moment, zone), zone, "starts_local") == moment
