"""What an event and its sessions are: dates, price categories, ticket types and prices, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


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
