"""Run the schedule: each job at its interval, in one process of the cluster at a time.

Who runs it holds an advisory lock on a connection of its own. When that process dies, its connection ends, Postgres
frees the lock, and another process goes on within two seconds. Where it is stopped without dying, its connection falls
silent, and Postgres ends it after a few seconds more. Every job may be cut short, run again, and run beside itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fullhouse.core.clock import Randomness
from fullhouse.core.errors import DomainError
from fullhouse.infra.postgres import OwnConnection, open_connection
from fullhouse.infra.telemetry import get_log
from fullhouse.infra.wake import Notifier
from fullhouse.workers.backoff import backoff_seconds

LOCK_KEY = 0x46756C6C686F7573
"""The advisory lock of the schedule ("Fullhous")."""

TRY_SECONDS = 1.0
"""How often a process that waits for the lock tries again, and the holder checks that it still has it."""

SILENT_SECONDS_MAX = 5
"""Postgres ends the connection of a holder that has not checked for this long."""

_log = get_log("fullhouse.workers.schedule")


@dataclass(frozen=True, slots=True)
class Job:
    """One line of the table of what runs when."""

    name: str
    every_seconds: float
    run: Callable[[], Awaitable[int]]
    """Does what is due and returns how much that was."""

    seconds_max: float = 60.0


class Schedule:
    """Runs jobs while this process holds the lock."""

    def __init__(self, database_url: str, jobs: Sequence[Job], notifier: Notifier, randomness: Randomness) -> None:
        """Take what it needs; ``run_until`` does the work."""
        self._url = database_url
        self._jobs = jobs
        self._notifier = notifier
        self._randomness = randomness

    async def run_until(self, stop: asyncio.Event) -> None:
        """Wait for the lock, then run the jobs until ``stop`` is set or the lock is lost. Jobs in hand are finished."""
        conn = await open_connection(self._url, application_name="fullhouse-schedule")
        try:
            await conn.execute("SELECT set_config('idle_session_timeout', $1, false)", f"{SILENT_SECONDS_MAX}s")
            while not stop.is_set():
                if await conn.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY):
                    _log.info("schedule_taken")
                    await self._run_jobs(conn, stop)
                    return
                await _sleep_unless(stop, TRY_SECONDS)
        finally:
            conn.terminate()

    async def _run_jobs(self, conn: OwnConnection, stop: asyncio.Event) -> None:
        loops = [asyncio.create_task(self._repeat(job, stop), name=f"job:{job.name}") for job in self._jobs]
        try:
            running = set(loops)
            while running:
                # The lock lives as long as its connection: if this fails, somebody else may have it already.
                await conn.execute("SELECT 1")
                _, running = await asyncio.wait(running, timeout=TRY_SECONDS)
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)

    async def _repeat(self, job: Job, stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            try:
                async with asyncio.timeout(job.seconds_max):
                    done = await job.run()
            except Exception as error:  # noqa: BLE001 (a job that fails is tried again; the others go on)
                failures += 1
                _log.warning("job_failed", job=job.name, error=str(error), exc_info=not isinstance(error, DomainError))
                await _sleep_unless(stop, max(job.every_seconds, backoff_seconds(failures, self._randomness)))
                continue
            failures = 0
            if done:
                self._notifier.wake()
            await _sleep_unless(stop, job.every_seconds)


async def _sleep_unless(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
