"""What is installed is what was meant: every package of the locks has one version, and hashes."""

import re

import pytest
from harness.sources import ROOT


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_package_has_one_version_and_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) > 40
    pinned = re.compile(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[^ ;]+ .*--hash=sha256:[0-9a-f]{64}")
    assert [line for line in lines if not pinned.match(line)] == []
    assert "://" not in text
