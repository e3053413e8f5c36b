"""Supervision: what a worker runs is started again, with back-off, when it fails."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fullhouse.core.clock import Randomness
from fullhouse.core.errors import DomainError
from fullhouse.infra.telemetry import get_log
from fullhouse.workers.backoff import backoff_seconds

HEALTHY_SECONDS = 30.0
"""What ran this long before it failed starts again without the waits of earlier failures."""

_log = get_log("fullhouse.workers")

Loop = Callable[[], Awaitable[None]]
"""Runs until the worker is told to stop, and returns then."""


async def supervise(
    loops: Mapping[str, Loop], stop: asyncio.Event, *, randomness: Randomness, grace_seconds: float
) -> None:
    """Run all loops until ``stop`` is set; then give them that long to finish what they have in hand."""
    tasks = [
        asyncio.create_task(_keep_running(name, loop, stop, randomness), name=name) for name, loop in loops.items()
    ]
    try:
        await stop.wait()
        _, late = await asyncio.wait(tasks, timeout=grace_seconds)
        for task in late:
            _log.warning("stopped_in_mid_work", part=task.get_name())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_running(name: str, loop: Loop, stop: asyncio.Event, randomness: Randomness) -> None:
    clock = asyncio.get_running_loop().time
    failures = 0
    while not stop.is_set():
        started = clock()
        try:
            await loop()
        except Exception as error:  # noqa: BLE001 (whatever stopped it, it is started again)
            failures = 1 if clock() - started > HEALTHY_SECONDS else failures + 1
            _log.warning("restarting", part=name, error=str(error), exc_info=not isinstance(error, DomainError))
            await _wait(stop, backoff_seconds(failures, randomness))


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
