"""The schedule runs in one process of the cluster, and goes on in another when that one dies."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from harness.waiting import until

from fullhouse.infra.system import randomness
from fullhouse.workers.run_schedule import LOCK_KEY, Job, Schedule

HOLDER = """
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid::bigint << 32 | objid::bigint = $1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """


def is_so(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def say() -> bool:
        return condition()

    return say


def schedule(parts: Any, *jobs: Job) -> Schedule:
    return Schedule(parts.url, jobs, parts.notifier, randomness)


async def test_one_of_several_processes_runs_the_jobs_and_another_takes_over_when_it_dies(parts: Any) -> None:
    stop = asyncio.Event()
    runs = [0, 0, 0]

    def job(number: int) -> Job:
        async def run() -> int:
            runs[number] += 1
            return 0

        return Job("count", 0.01, run)

    running = [asyncio.create_task(schedule(parts, job(number)).run_until(stop)) for number in range(3)]
    await until(is_so(lambda: max(runs) >= 5))
    first = runs.index(max(runs))
    assert sorted(runs)[:2] == [0, 0]

    pid = await parts.pool.fetchval(HOLDER, LOCK_KEY)
    await parts.pool.execute("SELECT pg_terminate_backend($1)", pid)

    await until(is_so(lambda: sum(count > 0 for count in runs) == 2))
    with pytest.raises(Exception, match=r"terminat|closed|lost"):
        await running[first]
    stop.set()
    await asyncio.gather(*running, return_exceptions=True)


async def test_job_that_fails_is_tried_again_and_disturbs_no_other(parts: Any) -> None:
    stop = asyncio.Event()
    tries, others = [0], [0]

    async def fail() -> int:
        tries[0] += 1
        raise RuntimeError("bad day")

    async def work() -> int:
        others[0] += 1
        return 0

    running = asyncio.create_task(schedule(parts, Job("fail", 0.01, fail), Job("work", 0.01, work)).run_until(stop))
    await until(is_so(lambda: tries[0] >= 2 and others[0] >= 5))
    stop.set()
    await running


async def test_stop_finishes_the_job_in_hand_and_frees_the_lock(parts: Any) -> None:
    stop, begun, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
    ended: list[bool] = []

    async def slow() -> int:
        begun.set()
        await go_on.wait()
        ended.append(True)
        return 1

    running = asyncio.create_task(schedule(parts, Job("slow", 0.01, slow)).run_until(stop))
    await begun.wait()
    stop.set()
    go_on.set()
    await running
    assert ended == [True]
    await until(lambda: is_free(parts))


async def is_free(parts: Any) -> bool:
    return await parts.pool.fetchval(HOLDER, LOCK_KEY) is None
