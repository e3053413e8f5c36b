"""The reference of errors names every code that a client can hear, with its status, and no other."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

from harness.sources import ROOT

import fullhouse
from fullhouse.core.errors import DomainError
from fullhouse.infra.http import KeptRefusal
from fullhouse.web.errors import status_of

HEARD_INSIDE = frozenset(
    """
    broker_unavailable dead_letter_not_found forged_code mail_address_refused mail_refused mail_unavailable
    malformed_code not_our_cloud_event object_missing
    """.split()
)
"""Workers and operators hear these; the door answers a bad code with an outcome."""

ROW = re.compile(r"^\| `([a-z_]+)` \| (\d{3}) \| .+ \|$", re.MULTILINE)


def errors(kind: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for error in kind.__subclasses__():
        if error.__module__.startswith("fullhouse."):
            yield error
            yield from errors(error)


def answered() -> set[tuple[str, str]]:
    for module in pkgutil.walk_packages(fullhouse.__path__, "fullhouse."):
        if not module.name.startswith(("fullhouse.cli", "fullhouse.operations")) and "update_" not in module.name:
            importlib.import_module(module.name)
    return {
        (error.code, str(status_of(error())))
        for error in errors()
        if error is not KeptRefusal and error.code not in HEARD_INSIDE
    }


def test_the_reference_names_every_code_and_its_status() -> None:
    text = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    rows = ROW.findall(text)
    assert len(rows) == len(set(rows))
    assert set(rows) == answered()


def test_one_code_has_one_status() -> None:
    codes = [code for code, _ in answered()]
    assert len(codes) == len(set(codes))
