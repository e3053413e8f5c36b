"""What the server leaves with a request for those in front of the framework, and what they leave with its answer.

They may leave with the head of an answer the fields that every answer has, already written (``Fixed``), and with a
piece of a stream its bytes as they go over the wire. Other servers are given neither.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

WIRE: Final = "fullhouse.wire"
"""The extension of the scope under which the request stands."""

FIXED: Final = "fullhouse.fixed"
"""In the head of an answer: fields that are written already, and follow on its own."""


class _Coming(Protocol):
    """A request as the server has it."""

    more_body: bool
    whole: bytes | None
    """The body, if it came with its head in a few bytes; the head is small, too, and in the plainest form."""


class Fixed(NamedTuple):
    """Fields of an answer, and the same as they are written."""

    pairs: Sequence[tuple[bytes, bytes]]
    block: bytes


def written(pairs: Sequence[tuple[bytes, bytes]]) -> Fixed:
    """Write fields once, for many answers."""
    return Fixed(pairs, b"".join(b"%b: %b\r\n" % pair for pair in pairs))


def has_wire(scope: Any) -> bool:  # noqa: ANN401 (a scope, as any server makes it)
    """Say whether a request came over the wire that is here."""
    extensions = scope.get("extensions")
    return extensions is not None and WIRE in extensions


def small_body(scope: Any) -> bytes | None:  # noqa: ANN401 (a scope, as any server makes it)
    """Return the body of a request that came whole and is small, head and all; None where that is not known."""
    extensions = scope.get("extensions")
    wire: _Coming | None = None if extensions is None else extensions.get(WIRE)
    return None if wire is None else wire.whole


def has_whole_body(scope: Any) -> bool:  # noqa: ANN401 (a scope, as any server makes it)
    """Say whether the body is known to have come whole, so that nobody has to wait for it."""
    extensions = scope.get("extensions")
    wire: _Coming | None = None if extensions is None else extensions.get(WIRE)
    return wire is not None and not wire.more_body
