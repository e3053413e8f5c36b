"""One word, one meaning: what the glossary forbids is in no name, table, address or message."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise

import pytest
from fastapi.routing import iter_route_contexts
from harness.sources import inside, modules, schema

from fullhouse.web.app import OWN_ROUTERS
from fullhouse.web.routes import API_ROUTERS

FORBIDDEN = frozenset(
    """
    tenant cart basket booking inventory tier subevent attendee barcode checkin redeem redeemed redemption layout
    seatmap performance showtime zone merchant
    """.split()
)
FORBIDDEN_PAIRS = frozenset({("check", "in"), ("db", "session"), ("login", "session"), ("seat", "lock")})
ALLOWED = {
    ("operations/read_codes.py", "barcode"): "what the library that reads pictures finds there",
    ("seating/formats/pretix.py", "_many_zones"): "the seating plans of pretix have zones",
    ("seating/formats/pretix.py", "_read_zone"): "the same",
}

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def words(name: str) -> list[str]:
    """Take a name apart: ``time_zone`` and ``TimeZone`` are time and zone."""
    return [word.lower() for word in _WORDS.findall(name)]


def forbidden(name: str) -> bool:
    parts = words(name)
    singular = [part.removesuffix("s") for part in parts]
    for number, part in enumerate(singular):
        if part == "zone" and (number == 0 or singular[number - 1] == "time"):
            continue
        if part in FORBIDDEN or parts[number] in FORBIDDEN:
            return True
    return any(pair in FORBIDDEN_PAIRS for pair in pairwise(parts))


def names_of(tree: ast.AST) -> Iterator[str]:
    """Find the names that a module gives: functions, classes, parameters, variables, fields."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr


def test_names_of_the_code_use_the_glossary() -> None:
    found = {
        (inside(path), name)
        for path in modules()
        for name in [path.stem, *names_of(ast.parse(path.read_text(encoding="utf-8")))]
        if forbidden(name)
    }
    assert found == set(ALLOWED)


def test_tables_and_columns_use_the_glossary() -> None:
    code = "\n".join(line for line in schema().splitlines() if not line.strip().startswith("--"))
    names = set(re.findall(r"\b[a-z][a-z_]+\b", code))
    assert "organization_id" in names
    assert {name for name in names if forbidden(name)} == set()


def test_tables_are_plural() -> None:
    tables = re.findall(r"^CREATE TABLE ([a-z_]+)", schema(), re.MULTILINE)
    uncountable = {"directory", "outbox", "inbox", "stock"}
    assert {table for table in tables if not table.endswith("s")} == uncountable


def test_instants_and_money_have_their_suffixes() -> None:
    columns = re.findall(r"^    ([a-z_]+) (timestamptz|timestamp|bigint|integer|smallint)\b", schema(), re.MULTILINE)
    instants = {name for name, kind in columns if kind == "timestamptz"}
    # A window opens ``from`` and closes ``until``.
    assert {name for name in instants if not name.endswith(("_at", "_until", "_from", "_max"))} == set()
    money = {name for name, kind in columns if kind == "bigint"}
    assert {name for name in money if not name.endswith("_minor")} == {"number", "position", "version"}


def test_addresses_use_the_glossary() -> None:
    paths = {
        context.path or "" for router in (*API_ROUTERS, *OWN_ROUTERS) for context in iter_route_contexts(router.routes)
    }
    assert {"/orders/{order_id}", "/readyz"} <= paths
    assert {path for path in paths if forbidden(path.replace("/", "_").replace("-", "_"))} == set()


def test_messages_are_facts_in_the_past_tense() -> None:
    types = set(re.findall(r'^\s+type: ClassVar\[str\] = "([a-z_.]+)"', sources_of("messages"), re.MULTILINE))
    assert {"order.paid", "ticket.issued", "reservation.held"} <= types
    irregular = {"held", "sold", "paid", "paid_unseated", "won", "lost"}
    past = {name for name in types if name.endswith("ed") or name.partition(".")[2] in irregular}
    assert types - past == set()
    assert {name for name in types if forbidden(name.replace(".", "_"))} == set()


def sources_of(stem: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in modules() if path.stem == stem)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tenant_id", True),
        ("ShoppingCart", True),
        ("PriceTier", True),
        ("check_in_guest", True),
        ("attendees", True),
        ("seat_zone", True),
        ("time_zone", False),
        ("TimeZone", False),
        ("frontier", False),
        ("organization_id", False),
        ("cartridge", False),
    ],
)
def test_forbidden_words_are_found_as_words(name: str, *, expected: bool) -> None:
    assert forbidden(name) is expected
