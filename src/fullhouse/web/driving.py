"""Coroutines that are driven without a task, as long as they wait for nothing but futures."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from types import coroutine
from typing import Any, cast

Ended = Callable[[BaseException | None], None]
"""Is told that a coroutine has returned, or what it raised. It must not raise."""


def drive(
    driven: Coroutine[Any, Any, None],
    ended: Ended,
    loop: AbstractEventLoop,
    tasks: set[asyncio.Task[Any]],
) -> None:
    """Begin a coroutine here and now, in a copy of this context, and go on with it whenever it can.

    Once it waits for anything but a future, a task among ``tasks`` goes on with it.
    """
    _Run(driven, ended, loop, tasks).step()


class _Run:
    __slots__ = ("_context", "_ended", "_loop", "_serving", "_tasks")

    def __init__(
        self,
        serving: Coroutine[Any, Any, None],
        ended: Ended,
        loop: AbstractEventLoop,
        tasks: set[asyncio.Task[Any]],
    ) -> None:
        self._serving = serving
        self._ended = ended
        self._loop = loop
        self._tasks = tasks
        self._context: Context = copy_context()

    def step(self) -> None:
        self._context.run(self._step)

    def _step(self, _done: "asyncio.Future[Any] | None" = None) -> None:
        try:
            awaited = self._serving.send(None)
        except StopIteration:
            self._ended(None)
        except BaseException as error:  # noqa: BLE001 (as the server does: the request ends, the process goes on)
            self._ended(error)
        else:
            if isinstance(awaited, asyncio.Future):
                future = cast("asyncio.Future[Any]", awaited)
                # As a task says that it has heard what it has to wait for.
                future._asyncio_future_blocking = False  # noqa: SLF001 (the protocol of who drives coroutines)
                future.add_done_callback(self._step, context=self._context)
            else:
                task = self._loop.create_task(self._go_on(awaited), context=self._context)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _go_on(self, awaited: object) -> None:
        try:
            await _rest(self._serving, awaited)
        except BaseException as error:
            self._ended(error)
            if isinstance(error, asyncio.CancelledError):
                raise
        else:
            self._ended(None)


@coroutine
def _rest(begun: Coroutine[Any, Any, None], awaited: object) -> Generator[object, object, None]:
    """Go on with what has begun elsewhere and waits for something."""
    while True:
        try:
            try:
                told = yield awaited
            except BaseException as error:  # noqa: BLE001 (handed on to where it belongs)
                awaited = begun.throw(error)
            else:
                awaited = begun.send(told)
        except StopIteration:
            return
