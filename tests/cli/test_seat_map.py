"""The commands ``fullhouse seat-map generate`` and ``check``, as somebody runs them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from seating.documents import pretix_document

from fullhouse.cli.seat_map import seat_map
from fullhouse.infra.errors import OperatorError
from fullhouse.seating.import_seat_map import import_seat_map


def test_a_generated_map_passes_the_check(tmp_path: Path) -> None:
    file = tmp_path / "arena.json"
    made = CliRunner().invoke(seat_map, ["generate", "arena", "--output", str(file)])
    assert (made.exit_code, made.stdout, made.stderr) == (0, "", f"Wrote {file}.\n")
    checked = CliRunner().invoke(seat_map, ["check", str(file)])
    assert checked.exit_code == 0
    lines = checked.stdout.splitlines()
    assert lines[0] == "Harbour Arena: 20,000 seats, 25,000 places in all"
    assert "  section 101: 400 seats in 16 rows, 4 accessible" in lines
    assert "  area floor: room for 4,000" in lines
    assert "  price category upper: 12,000 places" in lines


def test_a_single_row_is_one_row(tmp_path: Path) -> None:
    file = tmp_path / "club.json"
    CliRunner().invoke(seat_map, ["generate", "club", "--output", str(file)])
    checked = CliRunner().invoke(seat_map, ["check", str(file)])
    assert "  section platform: 10 seats in 1 row, 2 accessible" in checked.stdout.splitlines()


def test_a_map_goes_to_standard_output_unless_a_file_is_named() -> None:
    made = CliRunner().invoke(seat_map, ["generate", "club"])
    assert made.exit_code == 0
    assert import_seat_map(made.stdout).name == "Cellar Club"


def test_a_wrong_file_is_told_place_by_place(tmp_path: Path) -> None:
    file = tmp_path / "wrong.json"
    document = pretix_document()
    document["zones"][0]["rows"][0]["seats"] = [{"seat_number": 7} for _ in range(20)]
    file.write_text(json.dumps(document))
    checked = CliRunner().invoke(seat_map, ["check", str(file), "--output", str(tmp_path / "never.json")])
    assert checked.exit_code == 2
    assert checked.stdout == ""
    lines = checked.stderr.splitlines()
    assert lines[0] == "zones[0].rows[0].seats[0].seat_number: must be a text, not a number"
    assert lines[-2:] == ["… and 30 more", f"fullhouse: {file} is not a valid seat map (80 problems)"]
    assert not (tmp_path / "never.json").exists()


def test_a_plan_of_pretix_is_rewritten_in_our_own_form(tmp_path: Path) -> None:
    file, written = tmp_path / "plan.json", tmp_path / "ours.json"
    file.write_text(json.dumps(pretix_document()))
    assert CliRunner().invoke(seat_map, ["check", str(file), "-o", str(written)]).exit_code == 0
    assert json.loads(written.read_text())["format"] == "fullhouse-seat-map"
    assert import_seat_map(written.read_bytes()).sections == import_seat_map(file.read_bytes()).sections


def test_labels_that_name_several_seats_are_pointed_out(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    document = pretix_document()
    document["zones"][0]["rows"][2]["seats"][0] |= {"seat_number": "1"}
    document["zones"][0]["rows"][2] |= {"row_label": "Second row (2)", "seat_label": "place %s"}
    file.write_text(json.dumps(document))
    checked = CliRunner().invoke(seat_map, ["check", str(file)])
    assert checked.exit_code == 0
    assert "1 labels name several seats" in checked.stdout
    assert "Ground floor, Second row (2), place 1" in checked.stdout


def test_what_cannot_be_read_or_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"nothing\.json cannot be read: No such file or directory"):
        seat_map(["check", str(tmp_path / "nothing.json")], standalone_mode=False)
    with pytest.raises(OperatorError, match="cannot be written: No such file or directory"):
        seat_map(["generate", "club", "-o", str(tmp_path / "no" / "club.json")], standalone_mode=False)
    assert CliRunner().invoke(seat_map, ["generate", "ship"]).exit_code == 2


def test_help_names_the_rooms() -> None:
    shown = CliRunner().invoke(seat_map, ["generate", "--help"])
    assert shown.exit_code == 0
    assert "20,000" in shown.stdout
