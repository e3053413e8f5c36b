"""The desk: decides who gets the stock of a session, in batches.

Whatever arrived while the previous batch was being committed is the next batch: nothing waits for company, but in a
process that has so much to do that everything else waits as well. One batch of a session is in flight in each process,
and the next is decided meanwhile; Postgres orders those of several processes.
"""

import asyncio
from collections import OrderedDict
from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.core.ids import MakeId
from fullhouse.infra.postgres import Pool
from fullhouse.infra.tracing import traceparent
from fullhouse.reservations.refuse_again import anew
from fullhouse.reservations.rules import DeskFull, ItemRequest
from fullhouse.reservations.session_desk import SessionDesk
from fullhouse.reservations.waiting import Hearing, OnHeld, Parts, Patience, Waiting, loop_seconds, no_patience
from fullhouse.reservations.wish import Outcome, Wish

__all__ = ["Desks", "OnHeld"]

WAITING_MAX = 4_096
WEIGHT_MAX = 20_000
"""What the desks of a process may weigh that keep a session's stock in memory while nobody asks; the longest idle are
closed first. A desk of counted places weighs one, which is about ten kilobytes, so this is 200 megabytes."""
SEATS_A_WEIGHT = 50
"""So many seats weigh one more: their states, and what finds the best that are left."""
IDLE_SECONDS_MAX = 600.0
"""A desk that nobody asked for so long is closed; who asks next waits until the stock has been loaded again."""
IDLE_LOOK_SECONDS = 60.0


class Desks:
    """The desks of one process."""

    def __init__(
        self, pool: Pool, make_id: MakeId, on_held: OnHeld | None = None, patience: Patience = no_patience
    ) -> None:
        """Desks open by themselves when they are asked; ``patience`` is that of a process that has too much to do."""
        self._parts = Parts(pool, make_id, on_held, patience)
        self._desks: OrderedDict[UUID, SessionDesk] = OrderedDict()
        self._weights: dict[UUID, int] = {}
        self._weight = 0
        # Opened, and not weighed since their stock was loaded.
        self._unweighed: set[UUID] = set()
        self._asked_last: SessionDesk | None = None
        self._look: asyncio.TimerHandle | None = None
        self._closing = False

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
        self._parts.writes += 1

    def refuse_again(self, session_id: UUID, items: tuple[ItemRequest, ...]) -> DomainError | None:
        """Return the refusal that a wish without a key would hear now, from memory; None where it has to be decided.

        All hear the same one: it is told, and never raised.
        """
        desk = self._desks.get(session_id)
        if desk is None:
            return None
        self._desks.move_to_end(session_id)
        return desk.refusals.find(items, loop_seconds(), self._parts.writes)

    async def decide(self, organization_id: UUID, session_id: UUID, wish: Wish) -> Outcome:
        """Wait for the decision on one wish, committed if it was granted.

        Raises ``DeskFull`` at once where too many wait, ``SessionNotFound``, and ``DatabaseUnavailable`` where
        Postgres does not answer. A caller that is cancelled before its batch begins takes nothing.
        """
        desk, refusal = self._reach(organization_id, session_id, wish)
        if refusal is None and desk.is_quiet:
            return await desk.serve_alone(wish, traceparent())
        hearing: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        refused = _ask(desk, refusal, wish, hearing)
        return await hearing if refused is None else Outcome(anew(refused))

    def ask(self, organization_id: UUID, session_id: UUID, wish: Wish, hearing: Hearing) -> DomainError | None:
        """Return the refusal of a wish that memory can refuse; of any other the decision is told to who hears it.

        All hear the same refusal: it is told, and never raised. Raises ``DeskFull`` where too many wait.
        """
        desk, refusal = self._reach(organization_id, session_id, wish)
        return _ask(desk, refusal, wish, hearing)

    def _reach(self, organization_id: UUID, session_id: UUID, wish: Wish) -> tuple[SessionDesk, DomainError | None]:
        """Return the desk, and the refusal of a wish from its memory. Raises ``DeskFull``."""
        desk = self._open(organization_id, session_id)
        desk.asked_at = loop_seconds()
        refusal = desk.refusals.find(wish.request.items, desk.asked_at, self._parts.writes)
        waits = refusal is None or wish.claim is not None
        if waits and (self._closing or desk.waiting_count >= WAITING_MAX):
            raise DeskFull(retry_after_seconds=1)
        return desk, refusal

    async def close(self) -> None:
        """Take no more wishes and wait until those that wait have their answers."""
        self._closing = True
        if self._look is not None:
            self._look.cancel()
        tasks = [task for desk in self._desks.values() for task in (desk.task, desk.losers.task) if task]
        await asyncio.gather(*tasks, return_exceptions=True)

    def _open(self, organization_id: UUID, session_id: UUID) -> SessionDesk:
        desk = self._desks.get(session_id)
        if desk is None:
            desk = self._desks[session_id] = SessionDesk(self._parts, organization_id, session_id)
            self._close_excess(session_id)
            if self._look is None:
                self._look = asyncio.get_running_loop().call_later(IDLE_LOOK_SECONDS, self.close_idle)
        if desk is not self._asked_last:
            self._desks.move_to_end(session_id)
            self._asked_last = desk
        return desk

    def close_idle(self) -> None:
        """Close the desks that nobody asked for a while, and look again a moment later if any are left."""
        before = loop_seconds() - IDLE_SECONDS_MAX
        for key in [key for key, desk in self._desks.items() if desk.is_idle and desk.asked_at <= before]:
            self._close(key)
        self._asked_last = self._look = None
        if self._desks and not self._closing:
            self._look = asyncio.get_running_loop().call_later(IDLE_LOOK_SECONDS, self.close_idle)

    def _close_excess(self, opened: UUID) -> None:
        """Close the longest idle until those that are left are light enough, and leave the one just opened."""
        self._weigh(opened)
        for key in [key for key in self._unweighed if self._desks[key].memory.stock is not None]:
            self._weigh(key)
        self._unweighed.add(opened)
        excess = self._weight - WEIGHT_MAX
        closing: list[UUID] = []
        for key, desk in self._desks.items():
            if excess <= 0:
                break
            if desk.is_idle and key != opened:
                closing.append(key)
                excess -= self._weights[key]
        for key in closing:
            self._close(key)

    def _weigh(self, key: UUID) -> None:
        stock = self._desks[key].memory.stock
        weight = 1 + (len(stock.seat_states) // SEATS_A_WEIGHT if stock else 0)
        self._weight += weight - self._weights.get(key, 0)
        self._weights[key] = weight
        self._unweighed.discard(key)

    def _close(self, key: UUID) -> None:
        del self._desks[key]
        self._weight -= self._weights.pop(key)
        self._unweighed.discard(key)


def _ask(desk: SessionDesk, refusal: DomainError | None, wish: Wish, hearing: Hearing) -> DomainError | None:
    if refusal is not None and wish.claim is None:
        return refusal
    waiting = Waiting(wish, hearing, traceparent())
    if refusal is not None:
        desk.losers.take(waiting, anew(refusal))
    else:
        desk.take(waiting)
    return None
