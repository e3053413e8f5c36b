"""The desk: decides who gets the stock of a session, in batches.

Whatever arrived while the previous batch was being committed is the next batch: nothing waits for company. One batch
of a session is in flight in each process; Postgres orders those of several processes.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.core.ids import MakeId
from fullhouse.events.rules import SessionTerms
from fullhouse.infra.postgres import DatabaseUnavailable, Pool, connection, transaction
from fullhouse.infra.tracing import batch_span, traceparent
from fullhouse.reservations.hold_batch import Memory, Outcome, Wish, hold_batch, hold_fast
from fullhouse.reservations.refuse_again import Begun, Refusals, only_refuses, refuse_batch, seconds_to_refuse
from fullhouse.reservations.rules import DeskFull, Reservation
from fullhouse.reservations.stock import Stock
from fullhouse.reservations.waiting import Waiting, fail, loop_seconds, settle

BATCH_MAX = 256
WAITING_MAX = 4_096
UNDISTURBED_BATCHES = 3
"""After so many batches in a row that no other process disturbed, a desk tries to do without the lock."""
DESKS_MAX = 500
"""Desks that keep a session's stock in memory while nobody asks; the longest idle is closed first."""

OnHeld = Callable[[Stock, SessionTerms, Sequence[Reservation]], None]
"""Told after each commit; must not wait."""


@dataclass(slots=True)
class _Desk:
    memory: Memory
    waiting: deque[Waiting] = field(default_factory=deque[Waiting])
    task: asyncio.Task[None] | None = None
    refusals: Refusals = field(default_factory=Refusals)
    losing: list[tuple[Waiting, DomainError]] = field(default_factory=list[tuple[Waiting, DomainError]])
    """Wishes with keys that are refused from memory, unless their keys have answers."""
    losing_task: asyncio.Task[None] | None = None
    undisturbed: int = 0
    """How many batches with the lock in a row found the stock as this desk had left it."""


class Desks:
    """The desks of one process."""

    def __init__(self, pool: Pool, make_id: MakeId, on_held: OnHeld | None = None) -> None:
        """Desks open by themselves when they are asked."""
        self._pool = pool
        self._make_id = make_id
        self._on_held = on_held
        self._desks: OrderedDict[UUID, _Desk] = OrderedDict()
        self._closing = False
        self._writes = 0

    @property
    def waiting_count(self) -> int:
        """How many wishes wait for a decision."""
        return sum(len(desk.waiting) for desk in self._desks.values())

    @property
    def open_count(self) -> int:
        """How many sessions' stock is kept in memory."""
        return len(self._desks)

    def note_written(self) -> None:
        """Ask Postgres before the next refusals: this process may have given stock back, and its clients know."""
        self._writes += 1

    async def decide(self, organization_id: UUID, session_id: UUID, wish: Wish) -> Outcome:
        """Wait for the decision on one wish, committed if it was granted.

        Raises ``DeskFull`` at once where too many wait, ``SessionNotFound``, and ``DatabaseUnavailable`` where
        Postgres does not answer. A caller that is cancelled before its batch begins takes nothing.
        """
        desk = self._open(organization_id, session_id)
        refusal = desk.refusals.find(wish.request.items, loop_seconds(), self._writes)
        if refusal is not None and wish.claim is None:
            return Outcome(refusal)
        if self._closing or len(desk.waiting) + len(desk.losing) >= WAITING_MAX:
            raise DeskFull(retry_after_seconds=1)
        waiting = Waiting(wish, asyncio.get_running_loop().create_future(), traceparent())
        if refusal is not None:
            desk.losing.append((waiting, refusal))
            if desk.losing_task is None:
                desk.losing_task = asyncio.create_task(self._refuse(desk), name=f"refuse {session_id}")
            return await waiting.answer
        desk.waiting.append(waiting)
        if desk.task is None:
            desk.task = asyncio.create_task(self._serve(desk), name=f"desk {session_id}")
        return await waiting.answer

    async def close(self) -> None:
        """Take no more wishes and wait until those that wait have their answers."""
        self._closing = True
        tasks = [task for desk in self._desks.values() for task in (desk.task, desk.losing_task) if task]
        await asyncio.gather(*tasks, return_exceptions=True)

    def _open(self, organization_id: UUID, session_id: UUID) -> _Desk:
        desk = self._desks.get(session_id)
        if desk is None:
            desk = self._desks[session_id] = _Desk(Memory(organization_id, session_id))
            self._close_idle()
        self._desks.move_to_end(session_id)
        return desk

    def _close_idle(self) -> None:
        excess = len(self._desks) - DESKS_MAX
        if excess > 0:
            idle = [key for key, desk in self._desks.items() if desk.task is None and desk.losing_task is None]
            for key in idle[:excess]:
                del self._desks[key]

    async def _serve(self, desk: _Desk) -> None:
        # The queue is checked and the task cleared without an await between, else a wake-up could be lost.
        while True:
            batch = self._next_batch(desk)
            if not batch:
                desk.task = None
                return
            with batch_span("hold", (waiting.traceparent for waiting in batch)):
                await self._serve_batch(desk, batch)

    async def _refuse(self, desk: _Desk) -> None:
        """Refuse the wishes with keys that came while those before them were being looked up."""
        while desk.losing:
            batch, desk.losing = desk.losing[:BATCH_MAX], desk.losing[BATCH_MAX:]
            try:
                async with transaction(self._pool, desk.memory.organization_id) as conn:
                    outcomes = await refuse_batch(conn, desk.memory, [(one.wish, error) for one, error in batch])
            except Exception as error:  # noqa: BLE001 (handed to those who asked)
                fail([one for one, _ in batch], error)
            else:
                settle([one for one, _ in batch], outcomes)
        desk.losing_task = None

    def _next_batch(self, desk: _Desk) -> list[Waiting]:
        batch: list[Waiting] = []
        while desk.waiting and len(batch) < BATCH_MAX:
            waiting = desk.waiting.popleft()
            if not waiting.answer.done():
                batch.append(waiting)
        return batch

    async def _serve_batch(self, desk: _Desk, batch: list[Waiting]) -> None:
        """Try the batch; then once more whole; then one by one, so that a bad request fails alone."""
        try:
            outcomes = await self._try(desk, batch, retried=False)
        except DomainError as error:
            if not isinstance(error, DatabaseUnavailable):
                fail(batch, error)
                return
            outcomes = await self._try_again(desk, batch)
        except Exception:  # noqa: BLE001 (whatever it was, each request gets its own try below)
            outcomes = await self._try_again(desk, batch)
        if outcomes is not None:
            self._answer(desk, batch, outcomes)

    async def _try(self, desk: _Desk, batch: list[Waiting], *, retried: bool) -> list[Outcome]:
        wishes = [waiting.wish for waiting in batch]
        try:
            if not retried and desk.undisturbed >= UNDISTURBED_BATCHES:
                async with connection(self._pool, desk.memory.organization_id) as conn:
                    outcomes = await hold_fast(conn, self._make_id, desk.memory, wishes)
                if outcomes is not None:
                    return outcomes
            return await self._try_locked(desk, wishes, retried=retried)
        except BaseException:
            desk.memory.stock = None
            raise

    async def _try_locked(self, desk: _Desk, wishes: list[Wish], *, retried: bool) -> list[Outcome]:
        before = desk.memory.stock.version if desk.memory.stock else None
        begun = Begun(loop_seconds(), self._writes)
        async with transaction(self._pool, desk.memory.organization_id) as conn:
            outcomes = await hold_batch(conn, self._make_id, desk.memory, wishes, retried=retried)
            refuses = only_refuses(wishes, outcomes)
            desk.memory.refuses_for = await seconds_to_refuse(conn, desk.memory) if refuses else None
        desk.refusals.note(desk.memory, begun, wishes, outcomes)
        desk.undisturbed = desk.undisturbed + 1 if desk.memory.locked_version == before else 0
        return outcomes

    async def _try_again(self, desk: _Desk, batch: list[Waiting]) -> list[Outcome] | None:
        try:
            return await self._try(desk, batch, retried=True)
        except DomainError as error:
            fail(batch, error)
            return None
        except Exception as error:  # noqa: BLE001 (handed to the one who asked)
            if len(batch) == 1:
                fail(batch, error)
                return None
        for waiting in batch:
            outcomes = await self._try_again(desk, [waiting])
            if outcomes is not None:
                self._answer(desk, [waiting], outcomes)
        return None

    def _answer(self, desk: _Desk, batch: list[Waiting], outcomes: list[Outcome]) -> None:
        settle(batch, outcomes)
        stock, terms = desk.memory.stock, desk.memory.terms
        if self._on_held and stock and terms:
            held = [one.result for one in outcomes if isinstance(one.result, Reservation) and not one.replayed]
            self._on_held(stock, terms, held)
