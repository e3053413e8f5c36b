"""The clean-up: what is due by the clock, once a call. A rule of EventBridge calls it every minute.

It runs the same table of jobs as the worker's schedule: holds and attempts that have run out end, refunds are tried
again, old rows go. Each job may run beside itself, so a worker with a schedule may run as well. At the end it sends
what the outbox still holds.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from fullhouse.aws.instance import Context, Instance, seconds_left
from fullhouse.aws.payment_processor import Sender
from fullhouse.core.errors import DomainError
from fullhouse.infra.resources import Resources
from fullhouse.infra.telemetry import get_log
from fullhouse.settings import Settings
from fullhouse.workers.run_schedule import Job
from fullhouse.workers.work import tables_of

_log = get_log("fullhouse.aws.clean_up")


class CleanUpFailed(Exception):
    """Some jobs failed; the others have run. It is raised so that the errors of the function count them."""


class CleanUp:
    """Runs the jobs one after the other, and then the relay."""

    def __init__(self, jobs: tuple[Job, ...], sender: Sender) -> None:
        """Take the table, bound to the parts of this instance."""
        self._jobs = jobs
        self._sender = sender

    async def run_due(self, left: Callable[[], float]) -> dict[str, int]:
        """Do what is due; return how much each job did, and how many messages were sent. Raises ``CleanUpFailed``."""
        done: dict[str, int] = {}
        failed: list[str] = []
        for job in self._jobs:
            try:
                async with asyncio.timeout(min(job.seconds_max, left())):
                    done[job.name] = await job.run()
            except Exception as error:  # noqa: BLE001 (a job that fails is tried again; the others go on)
                failed.append(job.name)
                _log.warning("job_failed", job=job.name, error=str(error), exc_info=not isinstance(error, DomainError))
        done["sent"] = await self._sender.send_due(left())
        if failed:
            raise CleanUpFailed(f"failed: {', '.join(failed)}; done: {done}")
        return done


def make_clean_up(resources: Resources, settings: Settings) -> CleanUp:
    """Put the clean-up of one instance together."""
    work = tables_of(resources, settings)
    return CleanUp(tuple(work.jobs), Sender(resources, work))


_instance = Instance("clean-up", make_clean_up)


def handler(_event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Answer with what was done."""
    return {"done": _instance.call(lambda clean_up: clean_up.run_due(lambda: seconds_left(context)))}
