"""Serving one session: batches without the lock while all is there, and with it where something may not be."""

import asyncio
from collections import deque
from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.infra.postgres import DatabaseUnavailable, connection, transaction
from fullhouse.infra.tracing import batch_span
from fullhouse.reservations.hold_ahead import BATCH_MAX, Ahead, Flight, answers_of, write_flight
from fullhouse.reservations.hold_at_version import Written
from fullhouse.reservations.hold_batch import hold_batch
from fullhouse.reservations.losers import Losers
from fullhouse.reservations.refuse_again import Begun, Refusals, only_refuses, seconds_to_refuse
from fullhouse.reservations.rules import Reservation
from fullhouse.reservations.waiting import Parts, Waiting, fail, loop_seconds, next_batch, settle
from fullhouse.reservations.wish import Memory, Outcome

UNDISTURBED_BATCHES = 3
"""After so many batches in a row that no other process disturbed, a desk chooses seats without the lock."""
DECIDED_TOGETHER = 32
"""When so many wait behind a batch in flight, they are decided at once, not only when it has landed."""


class SessionDesk:
    """The desk of one session in one process."""

    __slots__ = ("_parts", "ahead", "asked_at", "losers", "memory", "refusals", "task", "undisturbed", "waiting")

    def __init__(self, parts: Parts, organization_id: UUID, session_id: UUID) -> None:
        """Begin without the session's stock: the first batch loads it."""
        self._parts = parts
        self.memory = Memory(organization_id, session_id)
        self.waiting: deque[Waiting] = deque()
        self.task: asyncio.Task[None] | None = None
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

    def take(self, waiting: Waiting) -> None:
        """Take a wish that has to be decided."""
        self.waiting.append(waiting)
        if self.ahead is not None and len(self.waiting) >= DECIDED_TOGETHER:
            self.ahead.decide()
        if self.task is None:
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
        chooses_seats = self.undisturbed >= UNDISTURBED_BATCHES
        ahead = self.ahead = Ahead(self.memory, self.waiting, chooses_seats=chooses_seats)
        try:
            unlucky = await self._fly(ahead)
        except BaseException:
            self.memory.stock = None
            raise
        finally:
            self.ahead = None
        if unlucky and self.memory.stock is None:
            outcomes = await self._try_again(unlucky)
            if outcomes is not None:
                self._answer(unlucky, outcomes)
        elif unlucky:
            await self._serve_batch(unlucky)

    async def _fly(self, ahead: Ahead) -> list[Waiting]:
        """Decide and write batch after batch; return those of the one that was not written, if there is one."""
        memory = self.memory
        # Of many, half go at once and half with the next: then Postgres and this process work at the same time. Where
        # other processes sell too, it is with theirs that it does.
        waiting = len(self.waiting)
        halves = waiting >= 2 * DECIDED_TOGETHER and memory.behind_since is None
        ahead.decide(waiting // 2 if halves else waiting)
        landed: tuple[Flight, Written] | None = None
        while ahead.has_decided:
            flight = ahead.take_off()
            writing = asyncio.create_task(self._write(memory, flight))
            if landed is not None:
                # It is sent before those of the batch before are answered: Postgres works while they ask again.
                await asyncio.sleep(0)
                self._answer(landed[0].waiting, answers_of(memory, *landed))
                landed = None
            try:
                written = await writing
            except Exception:  # noqa: BLE001 (whatever it was, each request gets its own try)
                # It may have been committed all the same.
                memory.stock = written = None
            ahead.land(written)
            if written is None:
                return flight.waiting
            if memory.behind_since is None:
                landed = (flight, written)
            else:
                # Postgres works for others meanwhile, so those who ask again go together.
                self._answer(flight.waiting, answers_of(memory, flight, written))
                await asyncio.sleep(0)
            ahead.decide()
        if landed is not None:
            self._answer(landed[0].waiting, answers_of(memory, *landed))
        return []

    async def _write(self, memory: Memory, flight: Flight) -> Written | None:
        with batch_span("hold", (one.traceparent for one in flight.waiting)):
            async with connection(self._parts.pool, memory.organization_id) as conn:
                return await write_flight(conn, self._parts.make_id(), memory, flight)

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

    def _answer(self, batch: list[Waiting], outcomes: list[Outcome]) -> None:
        settle(batch, outcomes)
        stock, terms = self.memory.stock, self.memory.terms
        if self._parts.on_held and stock and terms:
            held = [one.result for one in outcomes if isinstance(one.result, Reservation) and not one.replayed]
            self._parts.on_held(stock, terms, held)
