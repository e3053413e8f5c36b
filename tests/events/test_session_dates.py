"""Dates of a session are checked together, and remember what was announced."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from fullhouse.core.errors import Invalid
from fullhouse.events.session_dates import SessionDates, moved_by, resolve_dates
from fullhouse.events.wall_clock import WallClock


def clock(text: str) -> WallClock:
    return WallClock(datetime.fromisoformat(text))


def dates(**changes: str) -> SessionDates:
    return SessionDates("Europe/Lisbon", clock("2031-07-12T21:00"), **{name: clock(at) for name, at in changes.items()})


def test_dates_become_instants() -> None:
    found = resolve_dates(dates(ends="2031-07-12T23:30", sales_from="2031-01-01T10:00", sales_until="2031-07-12T20:00"))
    assert found.starts_at == datetime(2031, 7, 12, 20, 0, tzinfo=UTC)
    assert found.ends_at == datetime(2031, 7, 12, 22, 30, tzinfo=UTC)
    assert found.sales_from == datetime(2031, 1, 1, 10, 0, tzinfo=UTC)
    assert found.sales_until == datetime(2031, 7, 12, 19, 0, tzinfo=UTC)
    assert (found.entry_from, found.entry_until) == (None, None)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("ends_local", {"ends": "2031-07-12T21:00"}),
        ("ends_local", {"ends": "2031-07-11T22:00"}),
        ("sales_from_local", {"sales_from": "2031-07-12T21:00"}),
        ("sales_from_local", {"sales_from": "2031-07-02T10:00", "sales_until": "2031-07-02T10:00"}),
        ("sales_until_local", {"sales_until": "2031-07-12T23:31", "ends": "2031-07-12T23:30"}),
        ("sales_until_local", {"sales_until": "2031-07-13T21:01"}),
        ("entry_from_local", {"entry_from": "2031-07-12T23:30", "ends": "2031-07-12T23:30"}),
        ("entry_from_local", {"entry_from": "2031-07-12T20:00", "entry_until": "2031-07-12T20:00"}),
        ("sales_from_local", {"sales_from": "2031-03-30T01:30"}),
    ],
)
def test_dates_that_make_no_sense_name_their_field(field: str, changes: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        resolve_dates(dates(**changes))
    (error,) = cast("list[dict[str, str]]", refused.value.fields["errors"])
    assert error["field"] == field


def test_end_before_start_on_the_clock_is_right_where_clocks_go_back() -> None:
    night = SessionDates(
        "Europe/Lisbon",
        starts=WallClock(datetime(2031, 10, 26, 1, 45), 0),  # noqa: DTZ001  # wall clock has no zone
        ends=WallClock(datetime(2031, 10, 26, 1, 15), 1),  # noqa: DTZ001  # the same
    )
    found = resolve_dates(night)
    assert found.ends_at is not None
    assert found.ends_at - found.starts_at == timedelta(minutes=30)


def test_moving_by_a_week_keeps_the_hour_across_a_change_of_clocks() -> None:
    before = clock("2031-03-25T20:00")
    after = moved_by(before, timedelta(days=7))
    assert after == clock("2031-04-01T20:00")
    assert resolve_dates(SessionDates("Europe/Lisbon", before)).starts_at == datetime(2031, 3, 25, 20, tzinfo=UTC)
    assert after is not None
    assert resolve_dates(SessionDates("Europe/Lisbon", after)).starts_at == datetime(2031, 4, 1, 19, tzinfo=UTC)
