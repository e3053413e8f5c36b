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
from fullhouse.catalogue.availability import (
    Availability,
    availability_json,
    encode_body,
    next_change_by_time,
    offers_of,
    pack_seats,
)
from fullhouse.catalogue.show_event import is_public
from fullhouse.catalogue.shown_availability import Shown, pack_shown, unpack_shown
from fullhouse.core.clock import Clock
from fullhouse.core.errors import DomainError
from fullhouse.events.queries import load_event, load_terms
from fullhouse.events.rules import SessionNotFound, SessionTerms
from fullhouse.infra import directory
from fullhouse.infra.fresh import Fresh
from fullhouse.infra.postgres import Connection, Pool, connection, transaction
from fullhouse.infra.valkey import Shield
from fullhouse.reservations.queries import load_next_expiry
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
    making: asyncio.Lock = field(default_factory=asyncio.Lock)


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
        """Make the answer of a session anew, beside the sale: once for the holds of a quarter of a second."""
        if held:
            self._fresh.forget(terms.session_id)
        if held and terms.session_id not in self._refreshing:
            name = f"availability {terms.session_id}"
            self._refreshing[terms.session_id] = asyncio.create_task(self._refresh(terms.session_id), name=name)

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
            await self.show_availability(session_id)

    async def show_availability(self, session_id: UUID) -> Shown:
        """Return what is left of a session, as of a second ago or later. Raises ``SessionNotFound``."""
        return await self._fresh.get(session_id)

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
            kept = self._kept.setdefault(session_id, _Kept(organization_id))
            while len(self._kept) > SESSIONS_KEPT_MAX:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(session_id)
        return kept

    async def _make(self, kept: _Kept, session_id: UUID) -> Shown:
        async with transaction(self._pool, kept.organization_id) as conn:
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            shown = await load_availability(conn, kept.organization_id, session_id)
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


async def load_availability(conn: Connection, organization_id: UUID, session_id: UUID) -> Shown:
    """Make the answer from Postgres, in at most nine statements. The caller gives one snapshot for all of them.

    Raises ``SessionNotFound``.
    """
    found = await queries.load_version_and_now(conn, organization_id, session_id)
    terms = await load_terms(conn, organization_id, session_id)
    event = None if terms is None else await load_event(conn, organization_id, terms.event_id)
    if found is None or terms is None or event is None:
        raise SessionNotFound
    version, now = found
    body, etag = encode_body(availability_json(await _load(conn, terms, version, now)))
    next_expiry = await load_next_expiry(conn, organization_id, session_id, now)
    return Shown(
        organization_id=organization_id,
        version=version,
        etag=etag,
        public=is_public(event),
        valid_until=next_change_by_time(terms, now, next_expiry),
        body=body,
    )


async def _load(conn: Connection, terms: SessionTerms, version: int, now: datetime) -> Availability:
    organization_id, session_id = terms.organization_id, terms.session_id
    all_counters = await queries.load_counters(conn, organization_id, [session_id], now)
    counters = all_counters[session_id]
    map_version, seats = None, None
    if terms.seat_map_id is not None:
        map_version = await queries.load_map_version(conn, organization_id, terms.seat_map_id)
        seats = pack_seats(await queries.load_seat_states(conn, organization_id, session_id, now))
    return Availability(
        version=version,
        map_version=map_version,
        on_sale=terms.on_sale_at(now),
        offers=offers_of(terms, counters),
        areas={one.name: max(one.available, 0) for one in counters.values() if one.kind == "area"},
        seats=seats,
    )


def _key(session_id: UUID) -> str:
    return f"{{session:{session_id}}}:available"
