"""Files and functions stay small enough to be read at once. SQL and docstrings are told apart from code."""

import ast
from pathlib import Path

import pytest
from harness.sources import PACKAGE, ROOT, inside, modules, statements

LINES_MAX = 300
LINES_WITH_SQL_MAX = 400
VERB_LINES_MAX = 200
TEST_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
FILES_OF_FEATURE_MAX = 16

FEATURES = (
    "identity organizations access pricing events seating reservations catalogue orders payments tickets aftersales "
    "admission realtime webhooks"
).split()
NOUNS = frozenset({"__init__", "rules", "messages", "queries", "writes", "api", "http"})
"""The files of a feature that are no verbs."""

LARGER = {
    "catalogue/session_change.py": 220,
}
"""What is longer than it should be: it may become shorter, and then leaves this list, but not longer."""


def code_lines(node: ast.AST) -> int:
    """Count the lines of a piece of code without those of texts over several lines: SQL and docstrings."""
    first: int = getattr(node, "lineno", 1)
    last: int = getattr(node, "end_lineno", first)
    texts: set[int] = set()
    for found in ast.walk(node):
        if isinstance(found, ast.Constant) and isinstance(found.value, str) and found.end_lineno:
            texts |= set(range(found.lineno + 1, found.end_lineno + 1))
    return last - first + 1 - len(texts)


def limit_of(path: Path, text: str) -> int:
    name = inside(path)
    if any(True for _ in statements(text, name)):
        return LINES_WITH_SQL_MAX
    return LINES_MAX


def test_files_have_a_limit() -> None:
    found: dict[str, int] = {}
    for path in modules():
        text = path.read_text(encoding="utf-8")
        count = len(text.splitlines())
        if count > max(limit_of(path, text), LARGER.get(inside(path), 0)):
            found[inside(path)] = count
    assert found == {}


def test_a_verb_is_read_at_once() -> None:
    found: dict[str, int] = {}
    for feature in FEATURES:
        for path in sorted((PACKAGE / feature).glob("*.py")):
            if path.stem not in NOUNS:
                count = module_code_lines(path)
                if count > VERB_LINES_MAX:
                    found[inside(path)] = count
    assert {name for name in found if found[name] > LARGER.get(name, 0)} == set()
    assert set(LARGER) <= set(found), "shorter than it was: take it off the list"


def module_code_lines(path: Path) -> int:
    text = path.read_text(encoding="utf-8")
    texts = sum(
        (found.end_lineno or found.lineno) - found.lineno
        for found in ast.walk(ast.parse(text))
        if isinstance(found, ast.Constant) and isinstance(found.value, str)
    )
    return len(text.splitlines()) - texts


def test_functions_have_a_limit() -> None:
    found = {
        f"{inside(path)}:{node.name}": code_lines(node)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and code_lines(node) > FUNCTION_LINES_MAX
    }
    assert found == {}


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_is_a_short_list_of_files(feature: str) -> None:
    files = [path.stem for path in (PACKAGE / feature).glob("*.py") if path.stem != "__init__"]
    assert len(files) <= MORE_FILES.get(feature, FILES_OF_FEATURE_MAX)


MORE_FILES = {"reservations": 36, "tickets": 20, "webhooks": 17, "orders": 22, "payments": 29, "catalogue": 20}
"""Reservations hold the desk, tickets what is rendered, webhooks the calls, payments what comes back, orders their
lines, and the catalogue its boards, beside verbs.
"""


def test_files_of_tests_have_a_limit() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): count
        for path in (ROOT / "tests").rglob("*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > TEST_LINES_MAX
    }
    assert found == {}


def test_code_is_counted_without_sql_and_docstrings() -> None:
    planted = 'def f():\n    """One.\n\n    Two.\n    """\n    g(\n        """\n        SELECT 1\n        """,\n    )\n'
    function = ast.parse(planted).body[0]
    assert (getattr(function, "end_lineno", 0), code_lines(function)) == (10, 5)
