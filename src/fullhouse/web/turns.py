"""Those who come while nobody is let in: answered a few in each turn of the event loop, so that others have theirs.

A turn reads all that has come. If it also refused all who came too many, it would take as long as that takes, and
those inside, who need several turns each, would wait for hundreds of refusals in each of them.
"""

import asyncio
import time
from collections import deque
from typing import Final, Protocol

TURN_SECONDS: Final = 0.003
"""What of each turn goes to those who come too many."""


class Newcomer(Protocol):
    """A connection whose request waits for its turn."""

    def take_turn(self) -> None:
        """Refuse the request, or serve it if there is room by now."""
        ...


class Turns:
    """The newcomers of one process, in the order in which they came. There are no more than connections."""

    __slots__ = ("_came", "_is_due")

    def __init__(self) -> None:
        """Begin with nobody."""
        self._came: deque[Newcomer] = deque()
        self._is_due = False

    def add(self, newcomer: Newcomer) -> None:
        """Take a newcomer, whose turn comes soon."""
        self._came.append(newcomer)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        came, until = self._came, time.perf_counter() + TURN_SECONDS
        while came and time.perf_counter() < until:
            came.popleft().take_turn()
        self._is_due = bool(came)
        if came:
            asyncio.get_running_loop().call_soon(self._go_on)
