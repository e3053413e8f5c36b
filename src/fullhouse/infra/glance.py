"""Answers at a glance: what a plain request is answered without parser, task and framework.

A hot route may have, beside its ASGI callable, one that is given a request which was read whole, and answers it from
memory, or hands it on to what will answer it, such as the desk or a coroutine (``go_on``). It waits for nothing, and
whatever is unusual it leaves to the ASGI callable, before it has done anything::

    def place_at_a_glance(asked: Asked) -> bool:
        wanted = _read_again(asked.body)
        if wanted is None:
            return False
        asked.answer(201, encode(...))
        return True

Ids, limits, log, metrics and the form of problems are the same as around the callable.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from fullhouse.core.actor import Actor
from fullhouse.core.errors import DomainError
from fullhouse.infra.hot import JSON_TYPE

Headers = Sequence[tuple[bytes, bytes]]


class Asked(Protocol):
    """A request that was read whole, and the way back to who sent it. It is answered once, at once or later."""

    fields: Mapping[bytes, bytes]
    """The header fields by name, in small letters, of which each stands once."""
    body: bytes
    path_params: Mapping[str, str]
    state: Any
    """The state of the app."""
    actor: Actor | None
    """Who asks, once that was found."""

    @property
    def client(self) -> str | None:
        """The address of who asks, if it is known."""
        ...

    def go_on(self, answering: Coroutine[Any, Any, None]) -> None:
        """Let a coroutine answer, which begins at once. A ``DomainError`` that it raises refuses the request."""
        ...

    def answer(self, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = (JSON_TYPE,)) -> None:
        """Answer. Of the headers there are few kinds."""
        ...

    def refuse(self, error: DomainError) -> None:
        """Answer with a problem."""
        ...

    def fail(self, error: BaseException) -> None:
        """Answer that something went wrong on our side, and log what."""
        ...


AtAGlance = Callable[[Asked], bool]
"""Returns False to leave the request to the ASGI callable; a ``DomainError`` that it raises refuses the request."""
