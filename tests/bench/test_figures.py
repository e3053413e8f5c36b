"""What a benchmark found, as values: medians, ratios round by round, percentiles, and how they are written down."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullhouse.operations.bench.bench import Plan
from fullhouse.operations.bench.figures import PERCENTILES, Curve, Figure, Load, Section, p99_of, percentiles, ratio
from fullhouse.operations.bench.plots import draw
from fullhouse.operations.bench.report import as_json, as_markdown, as_text
from fullhouse.operations.bench.run import Report

RATES = st.floats(0.1, 1e6)


@given(st.lists(st.tuples(RATES, RATES), min_size=1, max_size=9))
def test_a_ratio_compares_figures_of_the_same_round(rounds: list[tuple[float, float]]) -> None:
    of, over = zip(*rounds, strict=True)
    made = ratio("a over b", Figure("a", "/s", of), Figure("b", "/s", over), to_reach=1.0)
    assert made.values == tuple(one / other for one, other in rounds)
    assert min(made.values) <= made.median <= max(made.values)


def test_a_ratio_is_reached_on_the_right_side() -> None:
    three, two = Figure("a", "/s", (3.0,)), Figure("b", "/s", (2.0,))
    assert ratio("more", three, two, 1.5).is_reached
    assert not ratio("more", three, two, 1.6).is_reached
    assert ratio("less", three, two, 1.5, is_most=True).is_reached
    assert not ratio("less", three, two, 1.4, is_most=True).is_reached


@given(st.lists(RATES, min_size=1, max_size=300).map(sorted))
def test_percentiles_are_values_that_were_seen_and_rise(values: list[float]) -> None:
    found = percentiles(values)
    assert len(found) == len(PERCENTILES)
    assert list(found) == sorted(found)
    assert set(found) <= set(values)
    assert found[-1] == values[-1]


def test_percentiles_of_a_hundred_and_one_are_their_ranks() -> None:
    assert percentiles([float(number) for number in range(101)]) == (50, 75, 90, 95, 99, 100, 100)


def test_what_is_answered_after_a_load_has_ended_is_not_its_rate() -> None:
    timeline = {"accepted": (300, 100, 900), "told to wait": (50,)}
    load = Load("twice", 700.0, 2.0, {"accepted": 1_300, "told to wait": 50}, {}, timeline)
    assert (load.rate("accepted"), load.rate("told to wait"), load.rate("lost")) == (200, 25, 0)


def test_a_rate_may_leave_out_the_seconds_in_which_the_first_are_still_on_their_way() -> None:
    load = Load("rush", 100.0, 3.0, {"accepted": 250}, {}, {"accepted": (10, 80, 100, 60)})
    assert (load.rate("accepted"), load.rate("accepted", since_second=1)) == (190 / 3, 90)


def _report() -> Report:
    load = Load(
        "at 70%", 700.0, 2.0, {"accepted": 3, "told to wait": 1}, {"accepted": percentiles([1.0, 2.0, 30.0])},
        {"accepted": (2, 1), "told to wait": (0, 1)},
    )  # fmt: skip
    holds, bare = Figure("holds", "/s", (900.0, 1_100.0, 1_000.0)), Figure("bare", "/s", (2_000.0, 2_000.0, 2_500.0))
    section = Section(
        "onsale",
        "One hot session.",
        [holds, bare],
        [ratio("holds over bare", holds, bare, 0.5)],
        [load],
        [Curve("rooms", "seats", "holds/s", [(1_000, 900.0), (20_000, 800.0)])],
        ["A note."],
        ["2 reservations were promised and are not there"],
    )
    return Report("2026-03-01T10:00:00+00:00", {"processors": "2"}, Plan(), [section])


def test_a_run_is_written_with_every_figure_ratio_and_broken_promise() -> None:
    text = as_markdown(_report(), ["ratios.svg"])
    assert "| holds over bare | 0.45 | 0.40 to 0.55 | ≥ 0.5 | **not reached** |" in text
    assert "| holds | 1,000/s | 900 to 1,100 |" in text
    assert "| at 70% | 700 | accepted | 3 | 2.0 | 30.0 | 30.0 |" in text
    assert "| at 70% | 700 | told to wait | 1 | 0.0 | 0.0 | 0.0 |" in text
    assert "| 20,000 | 800 |" in text
    assert "- **broken**: 2 reservations were promised and are not there" in text
    assert "![ratios.svg](ratios.svg)" in text
    assert _report().broken == ["onsale: 2 reservations were promised and are not there"]
    assert "BROKEN: 2 reservations were promised and are not there" in as_text(_report().sections[0])
    assert json.loads(as_json(_report()))["sections"][0]["figures"][0]["values"] == [900.0, 1_100.0, 1_000.0]


def test_a_run_is_drawn(tmp_path: Path) -> None:
    names = draw(_report(), tmp_path)
    assert names == ["ratios.svg", "onsale-throughput.svg", "onsale-latency.svg", "onsale-curves.svg"]
    for name in names:
        assert "</svg>" in (tmp_path / name).read_text()


def test_a_figure_without_rounds_is_refused() -> None:
    with pytest.raises(ValueError, match="no median"):
        _ = Figure("none", "/s", ()).median


def test_the_late_ones_of_values_in_any_order() -> None:
    assert p99_of(range(100, -1, -1)) == 99
    assert p99_of([]) == 0.0
