"""What is sent of a session: the old state and the changes are the new state, from wherever one begins."""

import pytest
from harness.streams import apply, parse
from hypothesis import given
from realtime.runs import Plan, begin, plans, record

from fullhouse.realtime.channel import BEHIND_MAX
from fullhouse.realtime.ring import KEPT_BYTES_MAX, KEPT_SECONDS, Event, Ring
from fullhouse.realtime.rules import read_position
from fullhouse.reservations.stock import StockChange


@given(plans)
def test_old_state_and_changes_are_the_new_state_at_every_point(plan: Plan) -> None:
    """Also for a client that comes from another process, whose changes ended at versions between ours."""
    run = record(plan)
    for version, state in run.states.items():
        for event in parse(run.channel.opening(version).decode()):
            assert event.name == "change"
            state = apply(state, event)  # noqa: PLW2901 (what it becomes)
        assert state == run.now()
    for unknown in (None, 0, run.channel.version + 1, 10**17):
        (event,) = parse(run.channel.opening(unknown).decode())
        assert event.name == "snapshot"
        assert apply(None, event) == run.now()


@given(plans)
def test_whoever_reads_slowly_ends_at_the_same_state(plan: Plan) -> None:
    """A reader that misses some events gets them together, or a snapshot: never less, and never out of order."""
    for every in (1, 2, BEHIND_MAX + 1):
        run = begin()
        state, number = run.now(), run.channel.number
        for position, group in enumerate(plan * 3):
            version = run.channel.version
            run.step(
                [
                    StockChange(version + n, list(moved), list(moved.values()), counted)
                    for n, (moved, counted) in enumerate(group, 1)
                ]
            )
            if position % every == 0:
                for event in parse(run.channel.after(number).decode()):
                    state = apply(state, event)
                number = run.channel.number
                assert state == run.now()
        assert run.channel.after(run.channel.number) == b""


def test_who_is_far_behind_gets_a_snapshot() -> None:
    run = begin()
    for version in range(2, BEHIND_MAX + 3):
        run.step([StockChange(version, [version], [1])])
    assert [event.name for event in parse(run.channel.after(1).decode())] == ["change"] * BEHIND_MAX
    assert [event.name for event in parse(run.channel.after(0).decode())] == ["snapshot"]
    assert run.channel.after(0) is run.channel.snapshot()


def test_what_is_older_than_a_minute_or_too_much_is_a_snapshot() -> None:
    run = begin()
    run.step([StockChange(2, [0], [1])])
    run.clock[0] += KEPT_SECONDS + 1
    run.step([StockChange(3, [1], [1])])
    assert [event.name for event in parse(run.channel.opening(1).decode())] == ["snapshot"]
    assert [event.name for event in parse(run.channel.opening(2).decode())] == ["change", "change"]
    ring = Ring()
    for number in range(1, 4):
        ring.add(Event(number, number, number + 1, 0.0, b"x" * (KEPT_BYTES_MAX // 2)))
    assert ring.after_version(1) is None
    assert ring.after_version(2) == b"x" * (KEPT_BYTES_MAX // 2) * 2
    assert ring.after_number(0) is None
    assert ring.after_number(2) == b"x" * (KEPT_BYTES_MAX // 2)
    assert ring.after_number(3) == b""


def test_new_terms_break_what_follows() -> None:
    run = begin()
    run.step([StockChange(2, [0], [1])])
    run.channel.replace(run.channel.watched)
    assert [event.name for event in parse(run.channel.opening(1).decode())] == ["snapshot"]
    assert [event.name for event in parse(run.channel.after(1).decode())] == ["snapshot"]
    assert run.channel.latest is run.channel.snapshot()


@pytest.mark.parametrize(
    "text", ["", " ", "-1", "1.5", "1e3", "0x1", "١٢", "9" * 19, "latest", "12 13", "12\n", "\x00", "é"]
)
def test_an_id_that_is_no_version_is_none(text: str) -> None:
    assert read_position(text) is None


@pytest.mark.parametrize(("text", "version"), [("0", 0), ("17", 17), (" 17 ", 17), ("9" * 18, 10**18 - 1)])
def test_an_id_is_a_version(text: str, version: int) -> None:
    assert read_position(text) == version
    assert read_position(None) is None
