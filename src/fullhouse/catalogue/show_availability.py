"""Answer what is left of a session: one body for each version of its stock, kept in memory and in Valkey.

Postgres is asked for the version in one small statement, at most once a second while this process writes nothing, so an
answer is at most a second older than its request, and never older than what its client has just done here.
Valkey only saves the other processes the work of making the body; without it, each makes its own.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from valkey.asyncio import Valkey

from fullhouse.catalogue import queries
from fullhouse.catalogue.make_availability import make_availability
from fullhouse.catalogue.seat_states import SeatStates
from fullhouse.catalogue.shown_availability import Shown, pack_shown, unpack_shown
from fullhouse.core.clock import Clock
from fullhouse.core.errors import DomainError
from fullhouse.events.rules import SessionNotFound, SessionTerms
from fullhouse.infra import directory
from fullhouse.infra.fresh import Fresh
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.infra.valkey import Shield
from fullhouse.reservations.rules import Reservation
from fullhouse.reservations.stock import Stock

SESSIONS_KEPT_MAX = 500
KEPT_SECONDS_MAX = 3600
REFRESH_SECONDS = 0.25


@dataclass(slots=True)
class _Kept:
    """What the board knows of one session."""

    organization_id: UUID
    shown: Shown | None = None
    seats: SeatStates | None = None
    making: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_asked_for: bool = False
    """Whether anybody has looked since the answer was last made beside the sale."""


class AvailabilityBoard:
    """Knows what is left of the sessions that people ask about. One for each process."""

    def __init__(self, pool: Pool, valkey: Valkey, clock: Clock) -> None:
        """Begin with nothing in memory."""
        self._pool = pool
        self._valkey = Shield(valkey, clock)
        self._kept: OrderedDict[UUID, _Kept] = OrderedDict()
        self._refreshing: dict[UUID, asyncio.Task[None]] = {}
        self._fresh = Fresh(self._look)

    def note_held(self, _stock: Stock, terms: SessionTerms, held: Sequence[Reservation]) -> None:
        """Make the answer of a session anew, beside the sale: once for the holds of a quarter of a second.

        Where nobody has looked meanwhile, nobody waits for it either.
        """
        session_id = terms.session_id
        if not held:
            return
        self._fresh.forget(session_id)
        kept = self._kept.get(session_id)
        if kept is not None and kept.is_asked_for and session_id not in self._refreshing:
            kept.is_asked_for = False
            name = f"availability {session_id}"
            self._refreshing[session_id] = asyncio.create_task(self._refresh(session_id), name=name)

    def note_written(self) -> None:
        """Ask Postgres before the next answers: this process wrote something, and its clients know."""
        self._fresh.note_written()

    async def close(self) -> None:
        """Give up what is being made anew: whoever asks next makes it."""
        tasks = list(self._refreshing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _refresh(self, session_id: UUID) -> None:
        try:
            await asyncio.sleep(REFRESH_SECONDS)
        finally:
            del self._refreshing[session_id]
        self._fresh.forget(session_id)
        with suppress(DomainError):
            await self._fresh.get(session_id)

    async def show_availability(self, session_id: UUID) -> Shown:
        """Return what is left of a session, as of a second ago or later. Raises ``SessionNotFound``."""
        kept = self._kept.get(session_id)
        if kept is not None:
            kept.is_asked_for = True
        return await self._fresh.get(session_id)

    def find_shown(self, session_id: UUID) -> Shown | None:
        """Return what ``show_availability`` would, where that is known without waiting."""
        kept = self._kept.get(session_id)
        if kept is None:
            return None
        kept.is_asked_for = True
        return self._fresh.peek(session_id)

    async def _look(self, session_id: UUID) -> Shown:
        kept = await self._keep(session_id)
        async with connection(self._pool, kept.organization_id) as conn:
            found = await queries.load_version_and_now(conn, kept.organization_id, session_id)
        if found is None:
            self._kept.pop(session_id, None)
            raise SessionNotFound
        if kept.shown is not None and kept.shown.fits(*found):
            return kept.shown
        # Those who ask at the same moment wait for one answer, and none of them keeps a connection meanwhile.
        async with kept.making:
            if kept.shown is None or not kept.shown.fits(*found):
                kept.shown = await self._from_valkey(session_id, *found) or await self._make(kept, session_id)
            return kept.shown

    async def _keep(self, session_id: UUID) -> _Kept:
        kept = self._kept.get(session_id)
        if kept is None:
            organization_id = await directory.find_organization(self._pool, "session", session_id)
            if organization_id is None:
                raise SessionNotFound
            kept = self._kept.setdefault(session_id, _Kept(organization_id, is_asked_for=True))
            while len(self._kept) > SESSIONS_KEPT_MAX:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(session_id)
        return kept

    async def _make(self, kept: _Kept, session_id: UUID) -> Shown:
        async with transaction(self._pool, kept.organization_id) as conn:
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            shown, kept.seats = await make_availability(conn, kept.organization_id, session_id, kept.seats)
        await self._into_valkey(session_id, shown)
        return shown

    async def _from_valkey(self, session_id: UUID, version: int, now: datetime) -> Shown | None:
        packed: object = await self._valkey.ask("availability", lambda client: client.get(_key(session_id)), None)
        shown = unpack_shown(packed) if isinstance(packed, bytes) else None
        return shown if shown is not None and shown.fits(version, now) else None

    async def _into_valkey(self, session_id: UUID, shown: Shown) -> None:
        packed = pack_shown(shown)
        await self._valkey.ask(
            "availability", lambda client: client.set(_key(session_id), packed, ex=KEPT_SECONDS_MAX), None
        )


def _key(session_id: UUID) -> str:
    return f"{{session:{session_id}}}:available"
