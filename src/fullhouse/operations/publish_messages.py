"""Keep the contract of messages in ``docs/reference``: the AsyncAPI document, and every version of every schema.

``python -m fullhouse.operations.publish_messages`` writes what is new; with ``--check`` it writes nothing. Both fail
where a schema changed in a way that readers could not follow: such a change needs a new version of its type.
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fullhouse.core.message import Fact
from fullhouse.core.message_schema import Schema, incompatibilities, name_of, samples_of, schema_of
from fullhouse.facts import PUBLISHED
from fullhouse.infra.brokers.cloud_events import schema_uri
from fullhouse.web.asyncapi import build_asyncapi

FOLDER = Path(__file__).parents[3] / "docs" / "reference"
_REMEDY = "run `make messages` and commit what it writes"
_NAME = re.compile(r"(?P<type>[a-z_]+\.[a-z_]+)\.v(?P<version>\d+)")


class Contract:
    """What is kept in a folder, and what the facts would have there."""

    def __init__(self, folder: Path = FOLDER, facts: Sequence[type[Fact]] = PUBLISHED) -> None:
        """Read what is kept."""
        self._folder = folder
        self._facts = facts
        self.kept = {path.stem: _read(path) for path in sorted((folder / "messages").glob("*.json"))}

    def broken(self) -> list[str]:
        """Say, one line each, what readers could not follow."""
        found: list[str] = []
        types = {fact.type for fact in self._facts}
        for name in self.kept:
            match = _NAME.fullmatch(name)
            if match is None or match["type"] not in types:
                found.append(f"{name}: nothing announces it; if nobody waits for it any more, delete its file")
        for fact in self._facts:
            found += self._broken(fact)
        return found

    def stale(self) -> list[str]:
        """Name the files that are not as they would be written now."""
        return [str(path) for path, text in self._files().items() if not path.exists() or path.read_text() != text]

    def write(self) -> None:
        """Write every file."""
        for path, text in self._files().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def _broken(self, fact: type[Fact]) -> list[str]:
        name = name_of(fact)
        kept = [version for version in range(1, 1000) if f"{fact.type}.v{version}" in self.kept]
        if name in self.kept:
            changes = incompatibilities(self.kept[name], schema_of(fact))
            later = [f"{name}: version {kept[-1]} was published already"] if fact.version < kept[-1] else []
            return later + [f"{name}: {change}; raise the version of {fact.__name__}" for change in changes]
        if fact.version != len(kept) + 1 or kept != list(range(1, fact.version)):
            return [f"{name}: it should follow the versions that were published, which are {kept}"]
        return []

    def _files(self) -> dict[Path, str]:
        files = {
            self._folder / "messages" / f"{name_of(fact)}.json": _text(self._published(fact)) for fact in self._facts
        }
        return {**files, self._folder / "asyncapi.json": _text(build_asyncapi())}

    def _published(self, fact: type[Fact]) -> Schema:
        schema = schema_of(fact)
        # Samples of what was sent once are never dropped: today's readers must go on reading them.
        samples: list[Any] = list(self.kept.get(name_of(fact), {}).get("examples", ()))
        samples += [sample for sample in samples_of(schema) if sample not in samples]
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": schema_uri(fact.type, fact.version),
            **schema,
            "examples": samples,
        }


def main(arguments: Sequence[str]) -> int:
    """Check, and write unless asked only to check; return the exit code."""
    contract = Contract()
    problems = contract.broken()
    if not problems and "--check" in arguments:
        problems = [f"{path}: not as the code has it; {_REMEDY}" for path in contract.stale()]
    if not problems and "--check" not in arguments:
        contract.write()
    sys.stderr.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


def _read(path: Path) -> Schema:
    return json.loads(path.read_text(encoding="utf-8"))


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
