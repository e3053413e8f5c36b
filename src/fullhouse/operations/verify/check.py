"""One check of a promise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import LiteralString


def _no_arguments() -> Sequence[object]:
    return ()


@dataclass(frozen=True, slots=True)
class Check:
    """A query that returns the rows which break a promise, each with its organization."""

    promise: int
    """Its number in ``docs/promises.md``."""
    name: str
    says: str
    """What holds when the query returns nothing."""
    query: LiteralString
    graced: bool = False
    """Whether ``$1`` scales the times that things may take: 1, or 0 where nothing is under way."""
    more: Callable[[], Sequence[object]] = field(default=_no_arguments)
    """Further arguments."""

    def arguments(self, grace: float) -> Sequence[object]:
        """Return the arguments of the query."""
        return ((grace,) if self.graced else ()) + tuple(self.more())
