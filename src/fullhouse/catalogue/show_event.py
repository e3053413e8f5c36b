"""Show events and sessions with what is left of them."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from fullhouse.catalogue import queries
from fullhouse.catalogue.availability import Offer, offers_of, places_left
from fullhouse.events.queries import load_event, load_terms, load_terms_of_event
from fullhouse.events.rules import Event, EventNotFound, EventStatus, SessionNotFound, SessionTerms
from fullhouse.infra.postgres import Connection
from fullhouse.pricing.codes import OpenedCode
from fullhouse.reservations.stock import Counter


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session with what is left of it at one instant."""

    terms: SessionTerms
    counters: dict[UUID, Counter]
    offers: tuple[Offer, ...]
    """Without hidden ticket types, unless a code opens them."""
    on_sale: bool
    available: int

    @property
    def every_offer(self) -> tuple[Offer, ...]:
        """All that it sells, hidden or not: what members of its organization see."""
        opened = OpenedCode(None, None, frozenset(kind.ticket_type_id for kind in self.terms.ticket_types))
        return offers_of(self.terms, self.counters, opened)

    def with_code(self, opened: OpenedCode) -> "SessionView":
        """Show it to who has a code: what is hidden and the code opens, and the prices with it."""
        offers = offers_of(self.terms, self.counters, opened)
        return replace(self, offers=offers, available=places_left(self.terms, self.counters, opened))


@dataclass(frozen=True, slots=True)
class EventView:
    """An event with its sessions, by start."""

    event: Event
    sessions: tuple[SessionView, ...]

    @property
    def is_public(self) -> bool:
        """Say whether everyone may see it."""
        return is_public(self.event)


def is_public(event: Event) -> bool:
    """Say whether everyone may see an event: it is, or before it was cancelled it was, published."""
    return event.status is EventStatus.PUBLISHED or event.published_at is not None


async def show_event(conn: Connection, organization_id: UUID, event_id: UUID) -> EventView:
    """Load an event and its sessions with what is left, in six statements whatever their number.

    Raises ``EventNotFound``.
    """
    event = await load_event(conn, organization_id, event_id)
    if event is None:
        raise EventNotFound
    sessions = await load_terms_of_event(conn, organization_id, event_id)
    return await _view(conn, event, sessions)


async def show_session(conn: Connection, organization_id: UUID, session_id: UUID) -> EventView:
    """Load one session with what is left, in a view of its event that has only this one. Raises ``SessionNotFound``."""
    terms = await load_terms(conn, organization_id, session_id)
    event = None if terms is None else await load_event(conn, organization_id, terms.event_id)
    if terms is None or event is None:
        raise SessionNotFound
    return await _view(conn, event, [terms])


async def _view(conn: Connection, event: Event, sessions: list[SessionTerms]) -> EventView:
    now = await queries.load_now(conn)
    ids = [terms.session_id for terms in sessions]
    counters = await queries.load_counters(conn, event.organization_id, ids, now)
    return EventView(event, tuple(_session_view(terms, counters.get(terms.session_id, {}), now) for terms in sessions))


def _session_view(terms: SessionTerms, counters: dict[UUID, Counter], now: datetime) -> SessionView:
    offers = offers_of(terms, counters)
    return SessionView(terms, counters, offers, terms.on_sale_at(now), places_left(terms, counters))
