"""Writing batches that were decided without the lock, one after the other, over a connection that is kept meanwhile."""

import math
from asyncio import sleep
from collections.abc import Callable, Sequence

from fullhouse.infra.postgres import Connection, connection
from fullhouse.infra.tasks import Started
from fullhouse.infra.tracing import batch_span
from fullhouse.reservations.ahead.hold_ahead import Ahead, Flight, answers_of, write_flight
from fullhouse.reservations.ahead.hold_at_version import Written
from fullhouse.reservations.waiting import Parts, Waiting, loop_seconds
from fullhouse.reservations.wish import Memory, Outcome

Answer = Callable[[Sequence[Waiting], Sequence[Outcome]], None]


class Flights:
    """The flights of one desk."""

    __slots__ = ("_answer", "_landed", "_memory", "_parts", "_took_off_at", "last_count")

    def __init__(self, parts: Parts, memory: Memory, answer: Answer) -> None:
        """Begin before the first; ``answer`` is told what became of whom."""
        self._parts = parts
        self._memory = memory
        self._answer = answer
        # A flight that was written, and whose wishes have not been answered.
        self._landed: tuple[Flight, Written] | None = None
        self._took_off_at = -math.inf
        self.last_count = 0
        """How many were on board of the last one."""

    async def write(self, ahead: Ahead) -> None:
        """Write what was decided and what is decided meanwhile.

        Ends with the first that is not let through: ``ahead.unlucky`` has its wishes then. Memory has no stock any more
        if that may have been committed all the same.
        """
        try:
            while ahead.has_decided:
                async with connection(self._parts.pool, self._memory.organization_id) as conn:
                    await self._fly(conn, ahead)
                if not ahead.has_decided and not ahead.ended and (seconds := self._company_seconds()):
                    await sleep(seconds)
                    ahead.decide()
        except BaseException as error:
            self._memory.stock = None
            ahead.land(None)
            if not isinstance(error, Exception):
                raise
        finally:
            self._answer_landed()

    async def _fly(self, conn: Connection, ahead: Ahead) -> None:
        """Write batch after batch, as long as nobody else waits for the connection."""
        memory = self._memory
        while ahead.has_decided:
            flight = ahead.take_off()
            self._took_off_at = loop_seconds()
            writing = Started(self._write(conn, flight))
            # It is sent before those of the batch before are answered: Postgres works while they ask again.
            self._answer_landed()
            written = await writing
            ahead.land(written)
            if written is not None:
                self._landed = flight, written
            if memory.behind_since is not None:
                # Postgres works for others meanwhile, so those who ask again go together.
                self._answer_landed()
                await sleep(0)
            if not ahead.has_decided and self._company_seconds():
                # Who came meanwhile are few, and wait for more; of many, some have been decided on.
                break
            ahead.decide()
            if self._parts.pool.waiting_count:
                break
        self._answer_landed()

    def _company_seconds(self) -> float:
        """Return how long the next few wait for company: what is left of patience since the last flight took off."""
        patience = self._parts.patience()
        return max(0.0, self._took_off_at + patience - loop_seconds()) if patience else 0.0

    async def _write(self, conn: Connection, flight: Flight) -> Written | None:
        with batch_span("hold", (one.traceparent for one in flight.waiting)):
            return await write_flight(conn, self._parts.make_id(), self._memory, flight)

    def _answer_landed(self) -> None:
        if self._landed is not None:
            (flight, written), self._landed = self._landed, None
            self.last_count = len(flight.waiting)
            self._answer(flight.waiting, answers_of(self._memory, flight, written))
