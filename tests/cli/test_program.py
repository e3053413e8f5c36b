"""The program: help on each command, and every error one line on standard error with exit code 2."""

import subprocess
from pathlib import Path

import pytest
from harness.processes import clean_environment, fullhouse
from harness.terminal import run_here

from fullhouse.cli.main import COMMANDS

KEY = "k" * 32
SERVING = ("api", "worker")
"""Wait for signals, which only the main thread of a process hears."""

GIVEN = {
    "FULLHOUSE_DATABASE_URL": "postgresql://fullhouse@127.0.0.1:1/fullhouse",
    "FULLHOUSE_VALKEY_URL": "valkey://127.0.0.1:1/0",
    "FULLHOUSE_SECRET_KEY": KEY,
}


def run(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return run_here(folder, arguments, environment)


def run_apart(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the program in a process of its own."""
    return subprocess.run(
        fullhouse(*arguments),
        cwd=folder,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refusal(result: "subprocess.CompletedProcess[str]") -> str:
    """Return the one line of a refusal."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("fullhouse: ")
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr.removeprefix("fullhouse: ").rstrip()


def test_help_lists_every_command(tmp_path: Path) -> None:
    result = run_apart(tmp_path, "--help")
    assert result.returncode == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_says_what_a_command_does(tmp_path: Path, command: str) -> None:
    result = run(tmp_path, command, "--help")
    assert result.returncode == 0
    assert result.stdout.startswith(f"Usage: fullhouse {command} ")
    assert len(result.stdout.splitlines()[2].strip()) > 20
    assert list(tmp_path.iterdir()) == []


def test_version_is_shown(tmp_path: Path) -> None:
    result = run_apart(tmp_path, "--version")
    assert (result.returncode, result.stdout) == (0, "fullhouse 0.1.0\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nope"], "No such command 'nope'. (see 'fullhouse --help')"),
        (["up", "--nope"], "No such option '--nope'. (see 'fullhouse up --help')"),
        (["up", "--port", "x"], "Invalid value for '--port': 'x' is not a valid integer. (see 'fullhouse up --help')"),
        (["up", "--port", "70000"], "FULLHOUSE_PORT: input should be less than or equal to 65535"),
        (["create-admin"], "Missing option '--email'. (see 'fullhouse create-admin --help')"),
        (["api"], "FULLHOUSE_DATABASE_URL is needed here; only 'fullhouse up' does without it"),
        (["worker"], "FULLHOUSE_DATABASE_URL is needed here; only 'fullhouse up' does without it"),
    ],
)
def test_wrong_use_is_one_line(tmp_path: Path, arguments: list[str], line: str) -> None:
    assert refusal(run(tmp_path, *arguments)) == line
    assert list(tmp_path.iterdir()) == []


def test_wrong_use_is_one_line_of_a_process_too(tmp_path: Path) -> None:
    assert refusal(run_apart(tmp_path, "nope")) == "No such command 'nope'. (see 'fullhouse --help')"


def test_part_that_a_worker_has_not_is_named(tmp_path: Path) -> None:
    line = refusal(run(tmp_path, "worker", "--only", "relay,dance", **GIVEN))
    assert line == "--only dance: a worker has the parts relay, consume, render, schedule, send"


@pytest.mark.parametrize("command", ["up", "migrate", "api", "worker", "settings", "doctor"])
def test_unknown_setting_stops_every_command(tmp_path: Path, command: str) -> None:
    line = refusal(run(tmp_path, command, FULLHOUSE_PRT="1"))
    assert line == "FULLHOUSE_PRT is not a setting; did you mean FULLHOUSE_PORT?"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["migrate"], ["doctor"], ["create-admin", "--email", "ana@example.org"]])
def test_folder_without_a_database_is_left_alone(tmp_path: Path, command: list[str]) -> None:
    line = refusal(run(tmp_path, *command))
    assert line == ("there is no database in .data/fullhouse; run 'fullhouse up' first, or give FULLHOUSE_DATABASE_URL")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["api"], ["worker"], ["migrate"], ["create-admin", "--email", "ana@example.org"]])
def test_database_that_is_away_is_one_line(tmp_path: Path, command: list[str]) -> None:
    run_command = run_apart if command[0] in SERVING else run
    assert "the database" in refusal(run_command(tmp_path, *command, **GIVEN))


@pytest.mark.parametrize(
    "command",
    [
        ["api"],
        ["worker"],
        ["verify"],
        ["dead-letters", "list"],
        ["create-admin", "--email", "ana@example.org"],
    ],
)
def test_database_that_was_never_migrated_is_one_line(
    tmp_path: Path, empty_database: str, valkey_url: str, command: list[str]
) -> None:
    given = {**GIVEN, "FULLHOUSE_DATABASE_URL": empty_database, "FULLHOUSE_VALKEY_URL": valkey_url}
    run_command = run_apart if command[0] in SERVING else run
    line = refusal(run_command(tmp_path, *command, **given))
    assert line == "the database lacks revision 0001; run 'fullhouse migrate'"


def test_host_that_is_not_ours_is_one_line(tmp_path: Path) -> None:
    line = refusal(run(tmp_path, "api", "--host", "192.0.2.1", "--port", "8000", **GIVEN))
    assert line == "cannot listen on 192.0.2.1 port 8000: Cannot assign requested address"


def test_settings_are_shown_with_what_is_changed(tmp_path: Path) -> None:
    result = run(tmp_path, "settings", FULLHOUSE_PORT="9000", FULLHOUSE_SECRET_KEY=KEY)
    assert result.returncode == 0
    assert "FULLHOUSE_PORT=9000    (default: empty)\n    The port of the API." in result.stdout
    assert "FULLHOUSE_SECRET_KEY=(hidden)" in result.stdout
    assert KEY not in result.stdout
