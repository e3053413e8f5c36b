"""The model of an on-sale: its arithmetic."""

from dataclasses import replace

import pytest

from fullhouse.operations.bench.stadium import Costs, Crowd, as_markdown, needs_of, processor_seconds

COSTS = Costs(
    page=500,
    page_bytes=10_000,
    look=50,
    look_bytes=200,
    hold_api=80,
    hold_database=20,
    hold_bytes=1_000,
    refusal=60,
    refusal_bytes=500,
    purchase_api=4_000,
    purchase_database=3_000,
    issue_worker=10_000,
    issue_database=2_000,
    message=10,
    message_bytes=300,
    watcher_kilobytes=20,
    holds_a_second=10_000,
)
CROWD = Crowd(buyers=60_000, places=6_000, seconds=600, looks=2, tries=3, watching_share=0.1, busiest_minute_share=0.5)


def test_the_busiest_second_adds_up() -> None:
    needs = needs_of(CROWD, COSTS)
    rates = {part.name: part.rate for part in needs.parts}
    assert rates == {
        "the event's page": 500,
        "looking at what is left": 1_000,
        "holds, while there is something": 1_500,
        "refusals": 1_500,
        "changes to those who watch": 24_000,
        "orders and payments": 5,
        "tickets issued and mailed": 5,
    }
    # 0.25 + 0.05 + 0.12 (holds, of which refusals take the place later) + 0.24 + 0.02 of a core, 60 % busy.
    assert needs.api_processes == 2
    # 0.03 + 0.015 + 0.01
    assert needs.database_cores == 1
    assert (needs.worker_processes, needs.connections) == (1, 64)
    assert (needs.watchers, round(needs.watcher_gigabytes, 3)) == (6_000, 0.12)
    assert needs.megabits == pytest.approx(40 + 1.6 + 12 + 6 + 57.6)
    assert needs.selling_seconds == 2


def test_a_session_is_sold_no_faster_than_it_can_be() -> None:
    slow = needs_of(CROWD, replace(COSTS, holds_a_second=100))
    assert slow.selling_seconds == pytest.approx(3_000 / 80)
    assert {part.name: part.rate for part in slow.parts}["holds, while there is something"] == 80


def test_a_crowd_that_comes_evenly_is_not_made_small() -> None:
    assert replace(CROWD, busiest_minute_share=0.0).arrivals() == 100


def test_the_time_of_a_small_on_sale_is_the_sum_of_its_acts() -> None:
    counts = {"page": 100, "look": 200, "hold": 10, "refusal": 50}
    assert processor_seconds(counts, COSTS) == pytest.approx((50_000 + 10_000 + 1_000 + 3_000) / 1e6)


def test_it_is_written_as_a_table_and_a_few_lines() -> None:
    text = as_markdown(CROWD, needs_of(CROWD, COSTS))
    assert "| refusals | 1,500 | 0.09 | 0.00 | 0.00 | 6 |" in text
    assert "- 2 API processes and 1 of the worker, 60% busy" in text
