"""The command ``fullhouse bench``, on real servers, and what the clients' own log finds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from harness.stock import box_office, make_session, wants

from fullhouse.cli.bench import NAMES
from fullhouse.infra.postgres import Pool
from fullhouse.operations.bench.bench import Log
from fullhouse.operations.bench.catalogue import SCENARIOS
from fullhouse.operations.bench.scenarios.trouble import went_on
from fullhouse.operations.bench.stock import room


def test_the_command_knows_every_scenario() -> None:
    assert list(NAMES) == list(SCENARIOS)


@pytest.mark.usefixtures("clean_environment")
def test_a_sold_out_session_is_measured_and_checked(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fullhouse.cli.main", "bench", "sold-out", "--seconds", "1", "--rounds", "1"]
    run = subprocess.run(
        [*command, "--connections", "16", "--report", str(tmp_path / "report")],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "refusals of a sold-out session over the bare handler" in run.stdout
    written = json.loads((tmp_path / "report" / "report.json").read_text())
    [section] = written["sections"]
    assert section["broken"] == []
    assert section["loads"][0]["counts"]["refused"] > 0
    assert all(figure["values"][0] > 0 for figure in section["figures"])
    assert (tmp_path / "report" / "ratios.svg").exists()
    # Nothing but the report stays behind.
    assert [path.name for path in (tmp_path / ".data" / "bench").iterdir()] == []


@pytest.mark.usefixtures("clean_environment")
def test_an_unknown_scenario_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fullhouse.cli.main", "bench", "onsale", "nonsense"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert run.returncode == 2
    assert run.stderr.startswith("fullhouse: there is no scenario nonsense; there are limits, desk, onsale, ")
    assert run.stdout == ""


async def test_the_log_finds_what_is_lost_and_what_was_promised_twice(pool: Pool) -> None:
    made = await make_session(pool)
    office = box_office(pool)
    placed = await office.place_reservation(made.session_id, wants(made, 1), "one", b"fingerprint")
    await office.close()
    log = Log([str(placed.reservation.reservation_id).encode()])
    assert await log.lost(pool, made.organization_id) == []
    log.acknowledged.append(b"0190a1b2-0000-7000-8000-000000000001")
    assert await log.lost(pool, made.organization_id) == ["1 reservations were promised and are not there"]
    log.acknowledged.append(log.acknowledged[0])
    assert await log.lost(pool, made.organization_id) == [
        "1 reservations were promised twice",
        "1 reservations were promised and are not there",
    ]


def test_selling_went_on_when_the_longest_pause_after_a_kill_ended() -> None:
    # One that was under way at the kill is answered after it, and is no sign of life.
    assert went_on([9.0, 9.9, 10.1, 13.0, 13.1, 14.0], killed_at=10.0) == 13.0
    assert went_on([9.9, 18.0], killed_at=10.0) == 18.0


def test_selling_that_never_stopped_went_on_after_its_longest_pause() -> None:
    assert went_on([9.9, 10.1, 10.25, 10.5], killed_at=10.0) == 10.25


@pytest.mark.parametrize("seats", [1, 99, 100, 101, 5_000, 5_001])
def test_a_room_has_as_many_seats_as_were_asked_for(seats: int) -> None:
    drawn = room(seats)
    assert drawn.seat_count == seats
    assert len({seat.key for seat in drawn.seats}) == seats
