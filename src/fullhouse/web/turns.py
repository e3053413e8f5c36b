"""Those who come while nobody is let in: refused a few in each turn of the event loop, so that others have theirs.

A turn reads all that has come. If it also refused all who came too many, it would take as long as that takes, and
those inside, who need several turns each, would wait for hundreds of refusals in each of them. So a turn has room for
some: these are refused as they are read, which costs least, and the others wait for later turns, in order.
"""

import asyncio
from collections import deque
from typing import Final, Protocol

ROOM: Final = 192
"""How many a turn refuses: three or four milliseconds of it."""


class Newcomer(Protocol):
    """A connection whose request waits for its turn."""

    def take_turn(self) -> None:
        """Refuse the request, or serve it if there is room by now."""
        ...


class Turns:
    """The newcomers of one process, in the order in which they came. There are no more than connections."""

    __slots__ = ("_came", "_is_due", "_room")

    def __init__(self) -> None:
        """Begin with nobody."""
        self._came: deque[Newcomer] = deque()
        self._room = ROOM
        self._is_due = False

    def has_room(self) -> bool:
        """Say whether a newcomer may be refused in this turn, before whom nobody waits; and count one if so."""
        if not self._room or self._came:
            return False
        self._room -= 1
        self._await_next()
        return True

    def add(self, newcomer: Newcomer) -> None:
        """Take a newcomer, whose turn comes soon."""
        self._came.append(newcomer)
        self._await_next()

    def _await_next(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        came = self._came
        now = min(len(came), ROOM)
        self._room = ROOM - now
        self._is_due = False
        for _ in range(now):
            came.popleft().take_turn()
        if came or not self._room:
            self._await_next()
