"""What an organizer asks for when a session goes on sale or changes, and how that is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from fullhouse.core.errors import Conflict, Invalid
from fullhouse.core.json import Json
from fullhouse.events.rules import SessionStatus
from fullhouse.events.session_dates import SessionDates
from fullhouse.events.wall_clock import WallClock

SHARED_QUOTAS_MAX: Final = 100
ERRORS_SHOWN_MAX: Final = 50

DateName = Literal["starts", "ends", "sales_from", "sales_until", "entry_from", "entry_until"]
DATE_NAMES: Final[tuple[DateName, ...]] = ("starts", "ends", "sales_from", "sales_until", "entry_from", "entry_until")


@dataclass(frozen=True, slots=True)
class PriceCategoryWish:
    """What places are worth. With a seat map the places are counted; ``capacity`` may then only lower the number."""

    key: str
    name: str | None = None
    capacity: int | None = None


@dataclass(frozen=True, slots=True)
class NamedCapacity:
    """A capacity of something that has a name: a shared quota, or an area by its key."""

    name: str
    capacity: int


@dataclass(frozen=True, slots=True)
class PriceWish:
    """The price in one price category, named by key. None takes the price away: not sold there any more."""

    price_category: str
    price_minor: int | None


@dataclass(frozen=True, slots=True)
class TicketTypeWish:
    """A new ticket type.

    ``price_minor`` and ``capacity`` alone make a price category and a quota of its own. With ``prices``,
    ``capacity`` limits this type besides its price categories.
    """

    name: str
    description: str = ""
    per_order_max: int | None = None
    on_sale: bool = True
    capacity: int | None = None
    quotas: Sequence[str] = ()
    """Names of shared quotas that it draws on as well."""
    price_minor: int | None = None
    prices: Sequence[PriceWish] = ()
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class SessionWish:
    """A new session: its seat map is named beside it."""

    dates: SessionDates
    name: str
    hold_seconds: int
    per_order_max: int
    release_on_decline: bool
    reseat_equal: bool
    gates: Sequence[str]
    ticket_types: Sequence[TicketTypeWish]
    price_categories: Sequence[PriceCategoryWish] = ()
    quotas: Sequence[NamedCapacity] = ()


@dataclass(frozen=True, slots=True)
class TicketTypeChange:
    """What becomes of a ticket type that is there, by id. None leaves a field; ``unlimited`` lifts its own limit."""

    ticket_type_id: UUID
    name: str | None = None
    description: str | None = None
    per_order_max: int | None = None
    unlimited: bool = False
    on_sale: bool | None = None
    capacity: int | None = None
    prices: Sequence[PriceWish] = ()
    price_minor: int | None = None
    hidden: bool | None = None


@dataclass(frozen=True, slots=True)
class SessionChange:
    """What becomes of a session. None, or being absent, leaves things as they are."""

    name: str | None = None
    status: SessionStatus | None = None
    time_zone: str | None = None
    dates: Mapping[DateName, WallClock | None] = field(default_factory=dict["DateName", "WallClock | None"])
    """Dates that change; None takes one away."""
    hold_seconds: int | None = None
    per_order_max: int | None = None
    release_on_decline: bool | None = None
    reseat_equal: bool | None = None
    gates: Sequence[str] | None = None
    price_categories: Sequence[PriceCategoryWish] = ()
    quotas: Sequence[NamedCapacity] = ()
    areas: Sequence[NamedCapacity] = ()
    ticket_types: Sequence[TicketTypeChange] = ()
    new_ticket_types: Sequence[TicketTypeWish] = ()

    def changed_fields(self) -> list[str]:
        """Name what is to change."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        given = {name for name, value in values.items() if value is not None and value not in ((), [], {})}
        return sorted((given - {"dates"}) | set(self.dates))


@dataclass(frozen=True, slots=True)
class SimpleEventWish:
    """The short form: an event with one general-admission session and one ticket type."""

    name: str
    description: str
    location: str
    starts: datetime
    """Aware: an instant. Naive: the wall clock of the time zone."""
    time_zone: str
    capacity: int
    price_minor: int
    currency: str
    ticket_type: str
    per_buyer_max: int | None = None


class StockWasHeld(Conflict):
    """Something was held, sold or blocked, so it is cancelled and not deleted."""

    code = "stock_was_held"
    title = "Something of it was already held, sold or blocked; cancel it instead."


class AboveRoom(Conflict):
    """More than the room has; ``room`` says how many places that is."""

    code = "above_room_capacity"
    title = "The room has fewer places than that."


class Complaints:
    """Collects what is wrong with a body, so that one try tells everything."""

    def __init__(self) -> None:
        """Begin without complaints."""
        self._errors: list[Json] = []
        self._first = ""

    def add(self, place: str, message: str) -> None:
        """Note what is wrong with one field."""
        self._first = self._first or f"{place}: {message}"
        if len(self._errors) < ERRORS_SHOWN_MAX:
            self._errors.append({"field": place, "message": message})

    def raise_if_any(self) -> None:
        """Raise ``Invalid`` with all that was noted."""
        if self._errors:
            raise Invalid(self._first, errors=self._errors)
