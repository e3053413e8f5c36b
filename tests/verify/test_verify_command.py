"""``fullhouse verify`` says what is broken, in lines or as JSON, and by its exit code."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

from harness.terminal import run_here


def run(folder: Path, database_url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run_here(folder, ("verify", *arguments), {"FULLHOUSE_DATABASE_URL": database_url})


def test_healthy_database_exits_with_0(tmp_path: Path, fresh_database: str) -> None:
    result = run(tmp_path, fresh_database)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("All promises hold: ")
    result = run(tmp_path, fresh_database, "--json", "--idle")
    assert (result.returncode, json.loads(result.stdout)) == (0, [])


async def test_broken_promise_exits_with_1_and_shows_its_rows(
    tmp_path: Path, fresh_database: str, fresh_pool: Any
) -> None:
    key = "018f0000-0000-7000-8000-000000000000"
    await fresh_pool.execute(
        """
        INSERT INTO dead_letters (organization_id, dead_letter_id, queue, message_id, key, body, reason, attempts)
        VALUES ($1, $1, 'tickets.issue', $1, $1, '{}', 'not_found: no order', 1)
        """,
        key,
    )
    result = await asyncio.to_thread(run, tmp_path, fresh_database)
    assert result.returncode == 1
    first, row = result.stdout.splitlines()
    assert first.startswith("Promise 10 is broken (no_dead_letter_waits): 1 rows.")
    assert f"dead_letter_id={key}" in row
    assert "reason=not_found: no order" in row

    result = await asyncio.to_thread(run, tmp_path, fresh_database, "--json")
    (finding,) = json.loads(result.stdout)
    assert result.returncode == 1
    assert (finding["promise"], finding["check"], finding["row_count"]) == (10, "no_dead_letter_waits", 1)
    assert finding["rows"][0]["dead_letter_id"] == key


def test_database_that_is_away_is_one_line(tmp_path: Path) -> None:
    result = run(tmp_path, "postgresql://fullhouse@127.0.0.1:1/fullhouse")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("fullhouse: the database cannot be used")
    assert result.stderr.count("\n") == 1
