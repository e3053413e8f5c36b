"""Take what SES tells of mails from its queue, and note it with the orders."""

import asyncio

from fullhouse.core.errors import DomainError, Malformed
from fullhouse.infra.mail_feedback import read_feedback
from fullhouse.infra.mail_feedback_queue import FeedbackQueue, Told
from fullhouse.infra.postgres import Pool
from fullhouse.infra.telemetry import get_log
from fullhouse.tickets.note_mail_feedback import note_mail_feedback

REST_SECONDS = 5.0
"""After the queue or the database was away."""

_log = get_log("fullhouse.workers.feedback")


class FeedbackReceiver:
    """Receives in one process; as many as you like may run."""

    def __init__(self, pool: Pool, queue: FeedbackQueue) -> None:
        """Take what it needs; ``run_until`` does the work."""
        self._pool = pool
        self._queue = queue

    async def run_until(self, stop: asyncio.Event) -> None:
        """Receive until ``stop`` is set; what is on its way then comes again later."""
        receiving = asyncio.create_task(self._receive(), name="mail-feedback")
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({receiving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if receiving.done():
                receiving.result()
        finally:
            for task in (receiving, stopping):
                task.cancel()
            await asyncio.wait({receiving, stopping})
            await self._queue.close()

    async def _receive(self) -> None:
        while True:
            try:
                for told in await self._queue.receive():
                    await self._note(told)
            except DomainError as away:
                _log.warning("feedback_waits", reason=away.detail)
                await asyncio.sleep(REST_SECONDS)

    async def _note(self, told: Told) -> None:
        if await note_told(self._pool, told.body):
            await self._queue.delete(told)


async def note_told(pool: Pool, body: str) -> bool:
    """Note one event. Returns False for what is none: it comes again, until the queue puts it away for a person."""
    try:
        feedback = read_feedback(body)
    except Malformed as wrong:
        _log.error("not_an_event_of_ses", error=wrong.detail)
        return False
    if feedback is not None:
        await note_mail_feedback(pool, feedback)
    return True
