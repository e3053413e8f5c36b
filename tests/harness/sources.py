"""Reads the sources of the product: its modules, the SQL in them, and the tables of the schema with their owners."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "fullhouse"

_SQL = re.compile(r"\s*(WITH|SELECT|INSERT INTO|UPDATE [a-z]|DELETE FROM|MERGE INTO|TRUNCATE|LOCK TABLE|COPY)\s*")
_READ = re.compile(r"\b(?:FROM|JOIN)\s+(?:ONLY\s+)?([a-z_]+)")
_WRITE = re.compile(
    r"\b(?:INSERT\s+INTO|(?<!FOR )(?<!KEY )(?<!DO )UPDATE|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE)\s+([a-z_]+)"
)
_LOCK = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+)?(?:UPDATE|SHARE)\b")
_SECTION = re.compile(r"^-- ([a-z_]+) -{20,}$")
_BELONGS = re.compile(r"^\s+organization_id uuid", re.MULTILINE)
_TABLE = re.compile(r"^CREATE TABLE ([a-z_]+) \((.*?)^\)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Statement:
    """A statement of SQL as it stands in a source."""

    place: str
    """The file inside the package and the function: ``orders/writes.py:insert_order``."""
    sql: str

    @property
    def feature(self) -> str:
        return self.place.partition("/")[0]

    def writes(self) -> set[str]:
        return set(_WRITE.findall(self.sql))

    def mentions(self) -> set[str]:
        return set(_READ.findall(self.sql)) | self.writes()

    def locks(self) -> bool:
        return _LOCK.search(self.sql) is not None


def modules() -> list[Path]:
    """List the Python files of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def inside(path: Path) -> str:
    """Return a file's path inside the package."""
    return path.relative_to(PACKAGE).as_posix()


def statements(source: str, place: str) -> Iterator[Statement]:
    """Find the statements in a source, each under the innermost function that holds it."""
    yield from _statements(ast.parse(source), f"{place}:(module)", place)


def all_statements() -> list[Statement]:
    """Find all statements of the package."""
    return [statement for path in modules() for statement in statements(path.read_text(encoding="utf-8"), inside(path))]


def _statements(node: ast.AST, name: str, place: str) -> Iterator[Statement]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _statements(child, f"{place}:{child.name}", place)
        elif isinstance(child, ast.Constant) and isinstance(child.value, str) and _SQL.match(child.value):
            yield Statement(name, child.value)
        else:
            yield from _statements(child, name, place)


def schema() -> str:
    """Return the text of the schema."""
    return (ROOT / "migrations" / "schema.sql").read_text(encoding="utf-8")


def owners() -> dict[str, str]:
    """Return the feature that owns each table, by the sections of the schema."""
    found: dict[str, str] = {}
    section = ""
    for line in schema().splitlines():
        if match := _SECTION.match(line):
            section = match[1]
        elif line.startswith("CREATE TABLE "):
            found[line.split()[2]] = section
    return found


def tables_of_the_sale() -> set[str]:
    """Return the tables that belong to organizations."""
    return {
        name for name, body in _TABLE.findall(schema()) if re.search(r"^\s+organization_id uuid", body, re.MULTILINE)
    }
