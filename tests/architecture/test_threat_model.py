"""The threat model names controls and their tests; every test that it names is there."""

import re

from harness.sources import ROOT

PAGE = ROOT / "docs" / "explanation" / "threat-model.md"
NAMED = re.compile(r"`((?:[a-z_]+/)+test_[a-z0-9_]+\.py)(?:::(test_[a-z0-9_]+))?`")


def is_there(file: str, test: str) -> bool:
    path = ROOT / "tests" / file
    return path.is_file() and (not test or f"def {test}(" in path.read_text(encoding="utf-8"))


def test_every_test_that_the_threat_model_names_is_there() -> None:
    named = NAMED.findall(PAGE.read_text(encoding="utf-8"))
    assert len(named) >= 30
    assert [f"{file} {test}" for file, test in named if not is_there(file, test)] == []


def test_every_threat_has_a_control_and_a_test() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| [STRIDE]+ \|", line)]
    assert len(rows) >= 15
    assert [row for row in rows if not NAMED.search(row)] == []
