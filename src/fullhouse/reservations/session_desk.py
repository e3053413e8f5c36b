"""Serving one session: batches without the lock while all is there, and with it where something may not be."""

import asyncio
from collections import deque
from collections.abc import Sequence
from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.infra.postgres import DatabaseUnavailable, transaction
from fullhouse.infra.tracing import batch_span
from fullhouse.reservations.ahead.hold_ahead import BATCH_MAX, Ahead
from fullhouse.reservations.ahead.hold_alone import hold_alone
from fullhouse.reservations.ahead.write_flights import Flights
from fullhouse.reservations.hold_batch import hold_batch
from fullhouse.reservations.losers import Losers
from fullhouse.reservations.refuse_again import Begun, Refusals, only_refuses, seconds_to_refuse
from fullhouse.reservations.waiting import Parts, Waiting, fail, loop_seconds, next_batch, settle, tell_held
from fullhouse.reservations.wish import Memory, Outcome, Wish

UNDISTURBED_BATCHES = 3
"""After so many batches in a row that no other process disturbed, a desk chooses seats without the lock."""
DECIDED_TOGETHER = 32
"""When so many wait behind a batch in flight, they are decided at once, not only when it has landed."""


class SessionDesk:
    """The desk of one session in one process."""

    __slots__ = (
        "_flights",
        "_parts",
        "ahead",
        "asked_at",
        "losers",
        "memory",
        "refusals",
        "task",
        "undisturbed",
        "waiting",
    )

    def __init__(self, parts: Parts, organization_id: UUID, session_id: UUID) -> None:
        """Begin without the session's stock: the first batch loads it."""
        self._parts = parts
        self.memory = Memory(organization_id, session_id)
        self.waiting: deque[Waiting] = deque()
        # Done when nobody is served any more.
        self.task: asyncio.Future[None] | None = None
        self._flights = Flights(parts, self.memory, self._answer)
        self.asked_at = loop_seconds()
        self.refusals = Refusals()
        self.losers = Losers(parts.pool, self.memory)
        # Decides without the lock; None while the lock is taken, or nobody waits.
        self.ahead: Ahead | None = None
        # How many batches with the lock in a row found the stock as this desk had left it.
        self.undisturbed = 0

    @property
    def waiting_count(self) -> int:
        """How many wait here."""
        return len(self.waiting) + len(self.losers.losing)

    @property
    def is_idle(self) -> bool:
        """Say whether nothing is being done."""
        return self.task is None and self.losers.task is None

    @property
    def is_quiet(self) -> bool:
        """Say whether nobody is served, and who was served last was alone."""
        return self.task is None and self._flights.last_count == 1

    @property
    def _chooses_seats(self) -> bool:
        return self.undisturbed >= UNDISTURBED_BATCHES

    def take(self, waiting: Waiting) -> None:
        """Take a wish that has to be decided."""
        self.waiting.append(waiting)
        if self.ahead is not None and len(self.waiting) >= DECIDED_TOGETHER:
            self.ahead.decide()
        if self.task is None:
            self._begin()

    async def serve_alone(self, wish: Wish, traceparent: str | None) -> Outcome:
        """Serve a wish in the task of who asks, where nobody else is served: it saves them handing it over, and back.

        Who comes meanwhile waits for the desk's own task.
        """
        loop = asyncio.get_running_loop()
        served = self.task = loop.create_future()
        try:
            outcome, serve = None, self._serve_batch
            try:
                outcome = await hold_alone(
                    self._parts, self.memory, wish, traceparent, chooses_seats=self._chooses_seats
                )
            except Exception:  # noqa: BLE001 (it is looked up first, and then tried with the lock)
                serve = self._serve_again
            if outcome is None:
                hearing: asyncio.Future[Outcome] = loop.create_future()
                await serve([Waiting(wish, hearing, traceparent)])
                return await hearing
            tell_held(self._parts, self.memory, (outcome,))
            return outcome
        finally:
            served.set_result(None)
            self.task = None
            if self.waiting:
                self._begin()

    def _begin(self) -> None:
        self.task = asyncio.create_task(self._serve(), name=f"desk {self.memory.session_id}")

    async def _serve(self) -> None:
        """Serve those who wait until nobody does."""
        # The queue is checked and the task cleared without an await between, else a wake-up could be lost.
        while True:
            await self._serve_ahead()
            batch = next_batch(self.waiting, BATCH_MAX)
            if not batch:
                self.task = None
                return
            with batch_span("hold", (one.traceparent for one in batch)):
                await self._serve_batch(batch)

    async def _serve_ahead(self) -> None:
        """Serve without the lock until nobody waits, or somebody cannot simply be granted what they wish."""
        self.ahead = ahead = Ahead(self.memory, self.waiting, chooses_seats=self._chooses_seats)
        # Of many, half go at once and half with the next: then Postgres and this process work at the same time. Where
        # other processes sell too, it is with theirs that it does.
        waiting = len(self.waiting)
        halves = waiting >= DECIDED_TOGETHER and self.memory.behind_since is None
        ahead.decide((waiting + 1) // 2 if halves else waiting)
        try:
            await self._flights.write(ahead)
        finally:
            self.ahead = None
        unlucky = ahead.unlucky
        if unlucky and self.memory.stock is None:
            await self._serve_again(unlucky)
        elif unlucky:
            await self._serve_batch(unlucky)

    async def _serve_batch(self, batch: list[Waiting]) -> None:
        """Try the batch; then once more whole; then one by one, so that a bad request fails alone."""
        try:
            outcomes = await self._try(batch, retried=False)
        except DomainError as error:
            if not isinstance(error, DatabaseUnavailable):
                fail(batch, error)
                return
            outcomes = await self._try_again(batch)
        except Exception:  # noqa: BLE001 (whatever it was, each request gets its own try below)
            outcomes = await self._try_again(batch)
        if outcomes is not None:
            self._answer(batch, outcomes)

    async def _serve_again(self, batch: list[Waiting]) -> None:
        """Serve those whose first try may have been committed all the same."""
        outcomes = await self._try_again(batch)
        if outcomes is not None:
            self._answer(batch, outcomes)

    async def _try(self, batch: list[Waiting], *, retried: bool) -> list[Outcome]:
        wishes = [waiting.wish for waiting in batch]
        memory, parts = self.memory, self._parts
        before = memory.stock.version if memory.stock and memory.behind_since is None else None
        begun = Begun(loop_seconds(), parts.writes)
        try:
            async with transaction(parts.pool, memory.organization_id) as conn:
                outcomes = await hold_batch(conn, parts.make_id, memory, wishes, retried=retried)
                refuses = only_refuses(wishes, outcomes)
                memory.refuses_for = await seconds_to_refuse(conn, memory) if refuses else None
        except BaseException:
            memory.stock = None
            raise
        self.refusals.note(memory, begun, wishes, outcomes)
        self.undisturbed = self.undisturbed + 1 if memory.locked_version == before else 0
        return outcomes

    async def _try_again(self, batch: list[Waiting]) -> list[Outcome] | None:
        try:
            return await self._try(batch, retried=True)
        except DomainError as error:
            fail(batch, error)
            return None
        except Exception as error:  # noqa: BLE001 (handed to the one who asked)
            if len(batch) == 1:
                fail(batch, error)
                return None
        for waiting in batch:
            outcomes = await self._try_again([waiting])
            if outcomes is not None:
                self._answer([waiting], outcomes)
        return None

    def _answer(self, batch: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
        settle(batch, outcomes)
        tell_held(self._parts, self.memory, outcomes)
