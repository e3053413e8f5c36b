"""What anyone may read of events and their sessions: read once a second at most, however many look."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from pydantic import BaseModel

from fullhouse.catalogue.queries import EventSearch, list_published_events, load_now
from fullhouse.catalogue.show_event import EventView, show_event, show_session
from fullhouse.events.form.queries import load_form
from fullhouse.events.form.rules import Form
from fullhouse.events.rules import Event, EventNotFound, SessionNotFound, SessionTerms
from fullhouse.infra.directory import find_organization
from fullhouse.infra.fresh import Fresh
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection
from fullhouse.organizations.queries import load_organization
from fullhouse.reservations.rules import Reservation
from fullhouse.reservations.stock import Stock
from fullhouse.seating.queries import load_seat_map
from fullhouse.seating.rules import SeatMap

LISTS_KEPT_MAX = 50
"""Pages of events, as anybody may ask for them."""


@dataclass(frozen=True, slots=True)
class EventShown:
    """An event with its sessions, or with one of them and its map, as they stood at an instant."""

    view: EventView
    seller: str
    seat_map: SeatMap | None
    form: Form
    """What the event asks its buyers."""
    now: datetime
    _encoded: dict[str, tuple[bytes, str]] = field(default_factory=dict[str, tuple[bytes, str]])

    def encode(self, form: str, answer: Callable[[], BaseModel]) -> tuple[bytes, str]:
        """Return an answer about it in one form, encoded once, with its entity tag."""
        return self.keep(form, lambda: answer().model_dump_json().encode())

    def keep(self, form: str, make: Callable[[], bytes]) -> tuple[bytes, str]:
        """Return what was made of it in one form, made once, with its entity tag."""
        return _keep(self._encoded, form, make)


class ListWanted(NamedTuple):
    """A page of the published events: those that are not over, or that a search finds."""

    length: int
    after: tuple[datetime, UUID] | None = None
    text: str = ""
    starts_from: datetime | None = None
    """None: those that are not over by now."""
    starts_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventsShown:
    """A page of the published events."""

    events: Sequence[Event]
    has_more: bool
    _encoded: dict[str, tuple[bytes, str]] = field(default_factory=dict[str, tuple[bytes, str]])

    def keep(self, form: str, make: Callable[[], bytes]) -> tuple[bytes, str]:
        """Return what was made of it in one form, made once, with its entity tag."""
        return _keep(self._encoded, form, make)


def _keep(kept: dict[str, tuple[bytes, str]], form: str, make: Callable[[], bytes]) -> tuple[bytes, str]:
    if form not in kept:
        body = make()
        kept[form] = body, f'"{sha256(body).hexdigest()[:24]}"'
    return kept[form]


class EventBoard:
    """Knows the events and sessions that people look at. One for each process."""

    def __init__(self, pool: Pool) -> None:
        """Begin with nothing in memory."""
        self._pool = pool
        self._events = Fresh(self._read_event)
        self._sessions = Fresh(self._read_session)
        self._lists = Fresh(self._read_list, LISTS_KEPT_MAX)

    def note_written(self) -> None:
        """Read everything anew: this process wrote something, and its clients know."""
        self._lists.note_written()
        self._events.note_written()
        self._sessions.note_written()

    def note_held(self, _stock: Stock, terms: SessionTerms, held: Sequence[Reservation]) -> None:
        """Read a session and its event anew: less is left of them. In an on-sale that is so all the time."""
        if held:
            self._sessions.note_changed(terms.session_id)
            self._events.note_changed(terms.event_id)

    def forget_session(self, session_id: UUID) -> None:
        """Read a session anew when somebody looks at it next."""
        self._sessions.forget(session_id)

    async def list_events(self, wanted: ListWanted) -> EventsShown:
        """Show a page of the published events of all organizations."""
        return await self._lists.get(wanted)

    async def show_event(self, event_id: UUID) -> EventShown:
        """Show an event with its sessions and what is left of them, public or not. Raises ``EventNotFound``."""
        return await self._events.get(event_id)

    async def show_session(self, session_id: UUID) -> EventShown:
        """Show one session in a view of its event, public or not. Raises ``SessionNotFound``."""
        return await self._sessions.get(session_id)

    async def _read_list(self, wanted: ListWanted) -> EventsShown:
        async with connection(self._pool, NO_ORGANIZATION) as conn:
            search = EventSearch(wanted.text, wanted.starts_from or await load_now(conn), wanted.starts_until)
            found = await list_published_events(conn, search, wanted.after, wanted.length + 1)
        return EventsShown(found[: wanted.length], len(found) > wanted.length)

    async def _read_event(self, event_id: UUID) -> EventShown:
        organization_id = await find_organization(self._pool, "event", event_id)
        if organization_id is None:
            raise EventNotFound
        async with connection(self._pool, organization_id) as conn:
            view = await show_event(conn, organization_id, event_id)
            organization = await load_organization(conn, organization_id)
            form = await load_form(conn, organization_id, event_id)
            return EventShown(view, organization.name if organization else "", None, form, await load_now(conn))

    async def _read_session(self, session_id: UUID) -> EventShown:
        organization_id = await find_organization(self._pool, "session", session_id)
        if organization_id is None:
            raise SessionNotFound
        async with connection(self._pool, organization_id) as conn:
            view = await show_session(conn, organization_id, session_id)
            map_id = view.sessions[0].terms.seat_map_id
            seat_map = await load_seat_map(conn, organization_id, map_id) if map_id else None
            form = await load_form(conn, organization_id, view.event.event_id)
            return EventShown(view, "", seat_map, form, await load_now(conn))
