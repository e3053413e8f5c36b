"""What a function loads before its first call: nothing that it may never need, and nothing that its package lacks."""

import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from typing import Any

import pytest
from harness.sources import ROOT

SLOW = frozenset(
    {"aiobotocore", "aiohttp", "aiosmtplib", "botocore", "httpx", "icalendar", "jinja2", "valkey", "stripe"}
)
"""Loaded where they are used: together they would double the cold start."""

PAGES = frozenset({"fastapi", "starlette"})
PRINT_LOADED = """
import sys
before = set(sys.modules)
import fullhouse.aws.{}
print(*{{name.partition(".")[0] for name in set(sys.modules) - before}})
"""


def build() -> Any:
    loader = SourceFileLoader("deploy_aws_build", str(ROOT / "deploy/aws/build"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("function", "unwanted"),
    [("payment_processor", SLOW | PAGES), ("clean_up", SLOW | PAGES), ("ticket_validator", SLOW)],
)
def test_function_loads_only_what_it_needs(function: str, unwanted: frozenset[str]) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", PRINT_LOADED.format(function)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "asyncpg" in loaded
    # What this environment has beside the package may be loaded by a library that looks for it.
    assert ((unwanted | build().LEFT_OUT) - {"rich"}) & set(loaded) == set()
