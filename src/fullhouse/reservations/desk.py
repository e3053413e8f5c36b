"""The desk: decides who gets the stock of a session, in batches.

Whatever arrived while the previous batch was being committed is the next batch: nothing waits for company. One batch
of a session is in flight in each process, and the next is decided meanwhile; Postgres orders those of several
processes.
"""

import asyncio
from collections import OrderedDict
from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.core.ids import MakeId
from fullhouse.infra.postgres import Pool
from fullhouse.infra.tracing import traceparent
from fullhouse.reservations.rules import DeskFull, ItemRequest
from fullhouse.reservations.session_desk import SessionDesk
from fullhouse.reservations.waiting import OnHeld, Parts, Waiting, loop_seconds
from fullhouse.reservations.wish import Outcome, Wish

__all__ = ["Desks", "OnHeld"]

WAITING_MAX = 4_096
DESKS_MAX = 500
"""Desks that keep a session's stock in memory while nobody asks; the longest idle is closed first."""


class Desks:
    """The desks of one process."""

    def __init__(self, pool: Pool, make_id: MakeId, on_held: OnHeld | None = None) -> None:
        """Desks open by themselves when they are asked."""
        self._parts = Parts(pool, make_id, on_held)
        self._desks: OrderedDict[UUID, SessionDesk] = OrderedDict()
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
        """Return the refusal that a wish without a key would hear now, from memory; None where it has to be decided."""
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
        desk = self._open(organization_id, session_id)
        refusal = desk.refusals.find(wish.request.items, loop_seconds(), self._parts.writes)
        if refusal is not None and wish.claim is None:
            return Outcome(refusal)
        if self._closing or desk.waiting_count >= WAITING_MAX:
            raise DeskFull(retry_after_seconds=1)
        waiting = Waiting(wish, asyncio.get_running_loop().create_future(), traceparent())
        if refusal is not None:
            desk.losers.take(waiting, refusal)
        else:
            desk.take(waiting)
        return await waiting.answer

    async def close(self) -> None:
        """Take no more wishes and wait until those that wait have their answers."""
        self._closing = True
        tasks = [task for desk in self._desks.values() for task in (desk.task, desk.losers.task) if task]
        await asyncio.gather(*tasks, return_exceptions=True)

    def _open(self, organization_id: UUID, session_id: UUID) -> SessionDesk:
        desk = self._desks.get(session_id)
        if desk is None:
            desk = self._desks[session_id] = SessionDesk(self._parts, organization_id, session_id)
            self._close_idle()
        self._desks.move_to_end(session_id)
        return desk

    def _close_idle(self) -> None:
        excess = len(self._desks) - DESKS_MAX
        if excess > 0:
            idle = [key for key, desk in self._desks.items() if desk.is_idle]
            for key in idle[:excess]:
                del self._desks[key]
