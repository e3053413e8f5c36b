"""What an event and its sessions are: dates, price categories, ticket types and prices, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from fullhouse.core.errors import Conflict, NotFound
from fullhouse.pricing.rules import Charges

SESSIONS_PER_EVENT_MAX: Final = 500
PRICE_CATEGORIES_MAX: Final = 250
TICKET_TYPES_MAX: Final = 100
HOLD_SECONDS_DEFAULT: Final = 900
PER_ORDER_DEFAULT: Final = 10


class EventStatus(StrEnum):
    """Where an event stands between being written and being over."""

    DRAFT = "draft"
    PUBLISHED = "published"
    CANCELLED = "cancelled"


class SessionStatus(StrEnum):
    """Whether a session happens as announced."""

    SCHEDULED = "scheduled"
    POSTPONED = "postponed"
    MOVED = "moved"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Event:
    """The thing put on sale. ``starts_at`` and ``ends_at`` are the first start and last end of its sessions."""

    organization_id: UUID
    event_id: UUID
    name: str
    description: str
    location: str
    time_zone: str
    """The zone of sessions that name none."""
    currency: str
    status: EventStatus
    starts_at: datetime | None
    ends_at: datetime | None
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None
    cancelled_at: datetime | None
    per_buyer_max: int | None
    """How many places of all of its sessions one buyer may have, by mail address; None for any number."""


@dataclass(frozen=True, slots=True)
class EventFields:
    """What its organization decides about an event."""

    name: str
    description: str
    location: str
    time_zone: str
    currency: str
    per_buyer_max: int | None = None


@dataclass(frozen=True, slots=True)
class PriceCategory:
    """What a place is worth. Seats and areas of the map name it by ``key``; every place in it draws on its quota."""

    price_category_id: UUID
    key: str
    name: str
    quota_id: UUID


@dataclass(frozen=True, slots=True)
class TicketType:
    """Who a ticket is for, and its price in each price category in which it is sold."""

    ticket_type_id: UUID
    name: str
    description: str
    per_order_max: int | None
    on_sale: bool
    quota_ids: tuple[UUID, ...]
    """Quotas that it draws on besides that of the price category: its own, or shared ones."""
    prices: Mapping[UUID, int]
    """Price in minor units by price category id."""
    hidden: bool = False
    """Whether only those see it, and may have it, who have a code that opens it."""


@dataclass(frozen=True, slots=True)
class LocalDates:
    """The dates of a session as wall clock in its time zone: what was announced."""

    starts: datetime
    ends: datetime | None = None
    sales_from: datetime | None = None
    sales_until: datetime | None = None
    entry_from: datetime | None = None
    entry_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """All that decides what may be sold of a session, when, and for how much. Not the stock."""

    organization_id: UUID
    event_id: UUID
    event_name: str
    event_status: EventStatus
    location: str
    session_id: UUID
    session_name: str
    status: SessionStatus
    currency: str
    time_zone: str
    starts_at: datetime
    ends_at: datetime | None
    sales_from: datetime | None
    sales_until: datetime | None
    entry_from: datetime | None
    entry_until: datetime | None
    gates: tuple[str, ...]
    seat_map_id: UUID | None
    hold_seconds: int
    per_order_max: int
    release_on_decline: bool
    reseat_equal: bool
    price_categories: tuple[PriceCategory, ...]
    ticket_types: tuple[TicketType, ...]
    local: LocalDates | None = None
    """The wall clock of the dates, where it was loaded."""
    per_buyer_max: int | None = None
    """That of its event."""
    charges: Charges | None = None
    """Fees and taxes that are in force for it; None where none are declared."""

    def category(self, price_category_id: UUID) -> PriceCategory:
        """Return one price category. Raises ``KeyError`` for an id of another session."""
        for category in self.price_categories:
            if category.price_category_id == price_category_id:
                return category
        raise KeyError(price_category_id)

    def on_sale_at(self, now: datetime) -> bool:
        """Say whether the public may buy at this instant: published, happening, and inside the sales window.

        Without an end of sales, they end when the session starts.
        """
        if self.event_status is not EventStatus.PUBLISHED or self.status is SessionStatus.CANCELLED:
            return False
        opened = self.sales_from is None or now >= self.sales_from
        return opened and now < (self.sales_until or self.starts_at)


class EventNotFound(NotFound):
    """There is no such event, or it belongs to somebody else, or it is a draft."""

    code = "event_not_found"
    title = "There is no such event."


class SessionNotFound(NotFound):
    """There is no such session, or it belongs to somebody else, or its event is a draft."""

    code = "session_not_found"
    title = "There is no such session."


class EventIsCancelled(Conflict):
    """A cancelled event changes no more."""

    code = "event_cancelled"
    title = "The event is cancelled."


class SessionIsCancelled(Conflict):
    """A cancelled session changes no more."""

    code = "session_cancelled"
    title = "The session is cancelled."


class EventWithoutSessions(Conflict):
    """An event is published with at least one session that is not cancelled."""

    code = "event_without_sessions"
    title = "The event needs a session first."


class CurrencyFixed(Conflict):
    """The prices of an event's sessions are amounts of its currency; ``currency`` says which it is."""

    code = "currency_fixed"
    title = "The currency cannot change while the event has sessions."


class TooManySessions(Conflict):
    """An event has a limited number of sessions; ``sessions_max`` says how many."""

    code = "too_many_sessions"
    title = "The event has as many sessions as an event may have."


class LastSession(Conflict):
    """A published event keeps at least one session."""

    code = "last_session"
    title = "A published event keeps at least one session; cancel or delete the event instead."


def may_change(status: EventStatus) -> None:
    """Raise ``EventIsCancelled`` for an event that changes no more."""
    if status is EventStatus.CANCELLED:
        raise EventIsCancelled


def status_after_change(before: SessionTerms, after: SessionTerms, asked: SessionStatus | None) -> SessionStatus:
    """Decide the status of a session that changes.

    A new start makes a session of a published event ``moved``, and settles a postponed one; what nobody saw (a draft)
    stays ``scheduled``. ``postponed`` is asked for, and taken back by asking for ``scheduled``. Raises ``Conflict``
    where these contradict each other.
    """
    moved = before.starts_at != after.starts_at or before.time_zone != after.time_zone
    if asked is not None and moved:
        raise Conflict("A session with a new start is moved; its status is not asked for as well.")
    if moved:
        return SessionStatus.MOVED if before.event_status is EventStatus.PUBLISHED else SessionStatus.SCHEDULED
    if asked is SessionStatus.SCHEDULED and before.status is SessionStatus.MOVED:
        raise Conflict("A session that was moved stays moved.", status=before.status.value)
    return asked or before.status
