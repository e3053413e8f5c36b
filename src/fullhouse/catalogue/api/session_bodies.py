"""What organizers send about sessions. Money in minor units, times as wall clock beside a time zone."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from fullhouse.catalogue.api.fields import UNSET, HoldSeconds, Key, TimeZone, When
from fullhouse.catalogue.rules import (
    DATE_NAMES,
    SHARED_QUOTAS_MAX,
    DateName,
    NamedCapacity,
    PriceCategoryWish,
    PriceWish,
    SessionChange,
    SessionWish,
    TicketTypeChange,
    TicketTypeWish,
)
from fullhouse.events.rules import HOLD_SECONDS_DEFAULT, PER_ORDER_DEFAULT, TICKET_TYPES_MAX, SessionStatus
from fullhouse.events.session_dates import SessionDates
from fullhouse.events.wall_clock import WallClock
from fullhouse.infra.http import ApiModel, Capacity, Flag, Line, PriceMinor, Quantity, ShortName, Text

PRICE_CATEGORIES_SENT_MAX = 50
GATES_MAX = 50


class PriceBody(ApiModel):
    """A price in a price category."""

    price_category: Key
    price_minor: PriceMinor


class PriceChangeBody(ApiModel):
    """A price in a price category; null stops selling the ticket type there."""

    price_category: Key
    price_minor: PriceMinor | None


class PriceCategoryBody(ApiModel):
    """What places are worth. With a seat map the places are counted, and a capacity can only lower the number."""

    key: Key
    name: ShortName | None = None
    capacity: Capacity | None = None

    def wish(self) -> PriceCategoryWish:
        """Return what was sent, as the feature takes it."""
        return PriceCategoryWish(self.key, self.name, self.capacity)


class SharedQuotaBody(ApiModel):
    """A quota that ticket types name and share."""

    name: ShortName
    capacity: Capacity


class AreaBody(ApiModel):
    """How many places of a standing area are sold, at most its room."""

    key: Key
    capacity: Capacity


class TicketTypeBody(ApiModel):
    """A new ticket type: either ``price_minor`` and ``capacity`` alone, or ``prices`` in price categories."""

    name: ShortName
    description: Text = ""
    per_order_max: Quantity | None = None
    on_sale: Flag = True
    hidden: Annotated[Flag, Field(description="Sold only to who has a code that opens it.")] = False
    capacity: Capacity | None = None
    quotas: Annotated[tuple[ShortName, ...], Field(max_length=10)] = ()
    price_minor: PriceMinor | None = None
    prices: Annotated[tuple[PriceBody, ...], Field(max_length=250)] = ()

    def wish(self) -> TicketTypeWish:
        """Return what was sent, as the feature takes it."""
        return TicketTypeWish(
            name=self.name,
            description=self.description,
            per_order_max=self.per_order_max,
            on_sale=self.on_sale,
            hidden=self.hidden,
            capacity=self.capacity,
            quotas=self.quotas,
            price_minor=self.price_minor,
            prices=[PriceWish(price.price_category, price.price_minor) for price in self.prices],
        )


class TicketTypeChangeBody(ApiModel):
    """What changes about a ticket type that is there. ``per_order_max`` null lifts its own limit."""

    id: UUID
    name: ShortName = UNSET
    description: Text = UNSET
    per_order_max: Quantity | None = None
    on_sale: Flag = UNSET
    hidden: Flag = UNSET
    capacity: Capacity = UNSET
    price_minor: PriceMinor = UNSET
    prices: Annotated[tuple[PriceChangeBody, ...], Field(max_length=250)] = ()

    def wish(self) -> TicketTypeChange:
        """Return what was sent, as the feature takes it."""
        return TicketTypeChange(
            ticket_type_id=self.id,
            name=self.name,
            description=self.description,
            per_order_max=self.per_order_max,
            unlimited="per_order_max" in self.model_fields_set and self.per_order_max is None,
            on_sale=self.on_sale,
            hidden=self.hidden,
            capacity=self.capacity,
            price_minor=self.price_minor,
            prices=[PriceWish(price.price_category, price.price_minor) for price in self.prices],
        )


class SessionBody(ApiModel):
    """A new session. Times are wall clock in ``time_zone``, which is the event's if left out."""

    name: Line = ""
    time_zone: TimeZone | None = None
    starts_local: When
    ends_local: When | None = None
    sales_from_local: When | None = None
    sales_until_local: When | None = None
    entry_from_local: When | None = None
    entry_until_local: When | None = None
    seat_map_id: UUID | None = None
    hold_seconds: HoldSeconds = HOLD_SECONDS_DEFAULT
    per_order_max: Quantity = PER_ORDER_DEFAULT
    release_on_decline: Flag = False
    reseat_equal: Flag = True
    gates: Annotated[tuple[ShortName, ...], Field(max_length=GATES_MAX)] = ()
    price_categories: Annotated[tuple[PriceCategoryBody, ...], Field(max_length=PRICE_CATEGORIES_SENT_MAX)] = ()
    quotas: Annotated[tuple[SharedQuotaBody, ...], Field(max_length=SHARED_QUOTAS_MAX)] = ()
    ticket_types: Annotated[tuple[TicketTypeBody, ...], Field(min_length=1, max_length=TICKET_TYPES_MAX)]

    def wish(self, event_time_zone: str) -> SessionWish:
        """Return what was sent, as the feature takes it."""
        return SessionWish(
            dates=SessionDates(
                time_zone=self.time_zone or event_time_zone,
                starts=self.starts_local,
                ends=self.ends_local,
                sales_from=self.sales_from_local,
                sales_until=self.sales_until_local,
                entry_from=self.entry_from_local,
                entry_until=self.entry_until_local,
            ),
            name=self.name,
            hold_seconds=self.hold_seconds,
            per_order_max=self.per_order_max,
            release_on_decline=self.release_on_decline,
            reseat_equal=self.reseat_equal,
            gates=self.gates,
            ticket_types=[ticket_type.wish() for ticket_type in self.ticket_types],
            price_categories=[category.wish() for category in self.price_categories],
            quotas=[NamedCapacity(quota.name, quota.capacity) for quota in self.quotas],
        )


class SessionChangeBody(ApiModel):
    """What changes about a session; what is left out stays.

    A date that may be missing is taken away by null. Price categories are named by key, shared quotas by name, areas
    by key; of those, price categories (without a seat map) and quotas that are not there yet are added.
    """

    name: Line = UNSET
    status: Literal["scheduled", "postponed"] = UNSET
    time_zone: TimeZone = UNSET
    starts_local: When = UNSET
    ends_local: When | None = None
    sales_from_local: When | None = None
    sales_until_local: When | None = None
    entry_from_local: When | None = None
    entry_until_local: When | None = None
    hold_seconds: HoldSeconds = UNSET
    per_order_max: Quantity = UNSET
    release_on_decline: Flag = UNSET
    reseat_equal: Flag = UNSET
    gates: Annotated[tuple[ShortName, ...], Field(max_length=GATES_MAX)] = UNSET
    price_categories: Annotated[tuple[PriceCategoryBody, ...], Field(max_length=PRICE_CATEGORIES_SENT_MAX)] = ()
    quotas: Annotated[tuple[SharedQuotaBody, ...], Field(max_length=SHARED_QUOTAS_MAX)] = ()
    areas: Annotated[tuple[AreaBody, ...], Field(max_length=1000)] = ()
    ticket_types: Annotated[tuple[TicketTypeChangeBody, ...], Field(max_length=TICKET_TYPES_MAX)] = ()
    new_ticket_types: Annotated[tuple[TicketTypeBody, ...], Field(max_length=TICKET_TYPES_MAX)] = ()

    def wish(self) -> SessionChange:
        """Return what was sent, as the feature takes it."""
        return SessionChange(
            name=self.name,
            status=SessionStatus(self.status) if "status" in self.model_fields_set else None,
            time_zone=self.time_zone,
            dates=self._dates(),
            hold_seconds=self.hold_seconds,
            per_order_max=self.per_order_max,
            release_on_decline=self.release_on_decline,
            reseat_equal=self.reseat_equal,
            gates=self.gates,
            price_categories=[category.wish() for category in self.price_categories],
            quotas=[NamedCapacity(quota.name, quota.capacity) for quota in self.quotas],
            areas=[NamedCapacity(area.key, area.capacity) for area in self.areas],
            ticket_types=[ticket_type.wish() for ticket_type in self.ticket_types],
            new_ticket_types=[ticket_type.wish() for ticket_type in self.new_ticket_types],
        )

    def _dates(self) -> dict[DateName, WallClock | None]:
        return {name: getattr(self, f"{name}_local") for name in DATE_NAMES if f"{name}_local" in self.model_fields_set}
