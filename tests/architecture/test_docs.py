"""What the documentation points at is there."""

import re
from pathlib import Path

import pytest
from harness.sources import ROOT

from fullhouse.operations.verify import CHECKS

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_each_check_of_verify_stands_beside_its_promise() -> None:
    rows = re.findall(
        r"^\| (\d+) \|.*\| ([^|]*) \|$", (ROOT / "docs/promises.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    written = {(int(number), name) for number, names in rows for name in re.findall(r"`([^`]+)`", names)}
    assert written == {(check.promise, check.name) for check in CHECKS}
