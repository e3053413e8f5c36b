"""A real worker process that kills itself, as ``kill -9`` would, right before or right after one step.

Run as ``python -m harness.crashing_worker DATABASE VALKEY FOLDER STEP [BROKER]``; STEP is
``before|after module:name[@queue]``.
The product knows nothing of this: the step is wrapped here, from outside.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from fullhouse.infra.postgres import open_pool
from fullhouse.infra.resources import open_valkey
from fullhouse.workers.run import run_worker
from fullhouse.workers.work import work_of
from harness.worker import SETTINGS, resources_on


def plant(step: str) -> None:
    """Put the crash around the named function, or method."""
    when, _, target = step.partition(" ")
    target, _, queue = target.partition("@")
    module, _, path = target.partition(":")
    owner: Any = import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    original = getattr(owner, name)

    async def crashing(*args: Any, **kwargs: Any) -> Any:
        hit = not queue or any(_mentions(arg, queue) for arg in args)
        if hit and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = await original(*args, **kwargs)
        if hit and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, crashing)


def _mentions(arg: object, queue: str) -> bool:
    if isinstance(arg, str):
        return arg == queue
    if isinstance(arg, list | tuple):
        return any(getattr(one, "queue", None) == queue for one in cast("Sequence[object]", arg))
    return getattr(arg, "queue", None) == queue


async def work(database_url: str, valkey_url: str, folder: Path, broker_url: str) -> None:
    """Run every part of the worker until something kills it."""
    pool = await open_pool(database_url)
    resources = replace(resources_on(pool, open_valkey(valkey_url), database_url, folder), broker_url=broker_url)
    await run_worker(resources, work_of(resources, SETTINGS), asyncio.Event())


if __name__ == "__main__":
    plant(sys.argv[4])
    asyncio.run(work(sys.argv[1], sys.argv[2], Path(sys.argv[3]), (sys.argv[5:] or ["postgres"])[0]))
