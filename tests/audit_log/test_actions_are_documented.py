"""The reference lists every action that the sources record, and no other."""

import re

from harness.sources import ROOT, modules

_ACT = re.compile(r'"([a-z_]+\.[a-z_]+)"')


def test_reference_lists_the_actions_of_the_sources() -> None:
    page = (ROOT / "docs/reference/audit-log.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", page, re.MULTILINE)
    sources = [path.read_text(encoding="utf-8") for path in modules()]
    recorded = {
        action
        for source in sources
        for call in re.findall(r"\bAct\(\s*([^,]+),", source)
        for action in _ACT.findall(call) or re.findall(r"_ACTIONS = \{[^}]*\}", source)
        for action in _ACT.findall(action if action.startswith("_ACTIONS") else f'"{action}"')
    }
    assert len(listed) == len(set(listed))
    assert sorted(recorded) == sorted(listed)
