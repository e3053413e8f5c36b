"""The main job on real input: a crowd at the shipped theatre and a festival, every ticket scanned from its pictures."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fullhouse.operations.crowd import HABITS

BUYERS = 4 * len(HABITS)
"""Each habit comes twice to each of the two venues."""


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("clean_environment")
def test_a_crowd_buys_and_every_ticket_opens_the_door_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fullhouse.cli.main", "demo", "--buyers", str(BUYERS)]
    run = subprocess.run(
        [*command, "--data-dir", str(tmp_path / "demo")], capture_output=True, text=True, check=False, timeout=380
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Every promise holds." in run.stdout
    stories = {story: int(count) for count, story in re.findall(r"^ +(\d+)  (.+: .+)$", run.stdout, re.MULTILINE)}
    scanned = re.search(r"^ +(\d+)  tickets scanned from picture and PDF: (.+)$", run.stdout, re.MULTILINE)
    assert scanned is not None
    tickets = int(scanned[1])
    assert tickets > BUYERS
    assert json.loads(scanned[2]) == {"admitted": tickets, "already_admitted": tickets}
    visits = [story for story in stories if not story.startswith("tickets")]
    assert sum(stories[story] for story in visits) == BUYERS
    assert {story.split(": ")[0] for story in visits} == set(HABITS)
    paid = {"pays", "is declined, then pays", "pays late", "loses the provider's answer"}
    for habit in paid:
        endings = {story.split(": ")[1] for story in visits if story.startswith(f"{habit}:")}
        assert endings <= {"paid", "found nothing left"}
    declined = {story.split(": ")[1] for story in visits if story.startswith("is declined three times")}
    assert declined <= {"cancelled", "found nothing left"}
