"""Work that begins without a task: what has limits of time asks for one first."""

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import copy_context
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


async def be_a_task() -> None:
    """Go on in a task. Whoever began this without one makes it one when it waits for nothing in particular."""
    if asyncio.current_task() is None:
        await asyncio.sleep(0)


class Started(Generic[Result]):
    """Work that has begun, as far as it goes before it first waits: what it sends is on its way. Await it once.

    It runs in the task of who awaits it, in a context of its own. A task would begin later, after all that is ready.
    """

    __slots__ = ("_context", "_waits_for", "_work")

    def __init__(self, work: Coroutine[Any, Any, Result]) -> None:
        """Begin; what it raises before it waits is raised here."""
        self._work = work
        self._context = copy_context()
        self._waits_for = self._context.run(work.send, None)

    def __await__(self) -> Generator[Any, Any, Result]:
        """Run the work to its end."""
        waits_for, run, work = self._waits_for, self._context.run, self._work
        try:
            while True:
                try:
                    sent = yield waits_for
                except BaseException as error:  # noqa: BLE001 (the work decides what to do about it)
                    waits_for = run(work.throw, error)
                else:
                    waits_for = run(work.send, sent)
        except StopIteration as done:
            return done.value
