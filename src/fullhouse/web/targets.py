"""What the first lines of requests ask for: those of hot routes are known before anything is parsed."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

from fullhouse.infra.glance import AtAGlance

_REMEMBERED_MAX: Final = 4_096


class Target(NamedTuple):
    """What the first line of a request asks for."""

    method: str
    path: str
    raw_path: bytes
    route: str = ""
    """The template of the path."""
    path_params: Mapping[str, str] = {}
    glance: AtAGlance | None = None
    is_at_once: bool = True
    """Whether what a glance does not answer is served without a task."""


class Targets(Protocol):
    """Knows the first lines of requests that are read at a glance."""

    def get(self, line: bytes, /) -> Target | None:
        """Return what a first line asks for; None where the parser has to read it."""
        ...


class KnownTargets:
    """The first lines of hot routes, and the latest of those whose paths name things."""

    def __init__(self) -> None:
        """Begin with none."""
        self._fixed: dict[bytes, Target] = {}
        self._named: dict[bytes, Target] = {}
        self._patterns: list[tuple[re.Pattern[bytes], Target]] = []

    def add(self, target: Target) -> None:
        """Take a target, whose path is the template of its route."""
        line = f"{target.method} {target.route} HTTP/1.1"
        if "{" not in target.route:
            self._fixed[line.encode()] = target
            return
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[0-9A-Za-z_-]+)", re.escape(line))
        self._patterns.append((re.compile(pattern.encode()), target))

    def get(self, line: bytes) -> Target | None:
        """Return what a first line asks for."""
        return self._fixed.get(line) or self._named.get(line) or self._find(line)

    def _find(self, line: bytes) -> Target | None:
        for pattern, target in self._patterns:
            found = pattern.fullmatch(line)
            if found is not None:
                raw_path = line.split(b" ")[1]
                params = {name: value.decode() for name, value in found.groupdict().items()}
                if len(self._named) >= _REMEMBERED_MAX:
                    self._named.clear()
                made = target._replace(path=raw_path.decode(), raw_path=raw_path, path_params=params)
                self._named[line] = made
                return made
        return None
