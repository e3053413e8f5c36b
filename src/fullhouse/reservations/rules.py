"""What a reservation is, what may be asked of the stock, and how it is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Literal, NamedTuple, cast
from uuid import UUID

from fullhouse.core.errors import Conflict, Invalid, NotFound, Unavailable
from fullhouse.core.json import Json
from fullhouse.pricing.parts import LineQuote, Parts, line_quote_from_json

HOLD_SECONDS_TOTAL_MAX = 120 * 60
"""Asking for more time never holds a reservation longer than this, counted from the hold."""
ITEMS_MAX = 20
QUANTITY_MAX = 1000

QuotaKind = Literal["category", "ticket_type", "shared", "area"]


class SeatState(IntEnum):
    """The two bits of a seat in the availability answer."""

    AVAILABLE = 0
    HELD = 1
    SOLD = 2
    BLOCKED = 3


class ReservationStatus(StrEnum):
    """``held`` ends in one of the others; money that comes late may still make an expired one sold."""

    HELD = "held"
    SOLD = "sold"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class NewQuota:
    """A counter to open with a session. For an area ``name`` is its key in the map, and ``capacity`` its room."""

    quota_id: UUID
    kind: QuotaKind
    name: str
    capacity: int


@dataclass(frozen=True, slots=True)
class NewAllocation:
    """What to block: seats by key or label, and quantities by the key of a price category or of an area."""

    name: str
    reason: str
    seats: Sequence[str]
    quantities: Mapping[str, int]
    release_at: datetime | None


@dataclass(frozen=True, slots=True)
class HeldSeat:
    """A seat by its permanent index, its permanent key and the label that people read."""

    index: int
    key: str
    label: str


@dataclass(frozen=True, slots=True)
class HeldItem:
    """Places of one ticket type in one price category, with the price of each as it was when they were held."""

    ticket_type_id: UUID
    ticket_type: str
    price_category_id: UUID
    price_category: str
    area: str | None
    quantity: int
    seats: tuple[HeldSeat, ...]
    price_minor: int
    quota_ids: tuple[UUID, ...]
    quote: LineQuote | None = None
    """Discount, fees and taxes; None where there are none."""
    charges_id: UUID | None = None
    """The declaration by which it was quoted."""
    code_id: UUID | None = None
    """The code that was shown for it, which its order uses."""

    @property
    def parts(self) -> Parts:
        """What its places come to, by kind."""
        return self.quote.parts if self.quote else Parts(price_minor=self.price_minor * self.quantity)

    @property
    def total_minor(self) -> int:
        """What a buyer pays for all its places."""
        return self.quote.total_minor if self.quote else self.price_minor * self.quantity

    def to_json(self) -> dict[str, Json]:
        """Return it as it is kept in the row of its reservation."""
        kept: dict[str, Json] = {
            "ticket_type_id": str(self.ticket_type_id),
            "ticket_type": self.ticket_type,
            "price_category_id": str(self.price_category_id),
            "price_category": self.price_category,
            "area": self.area,
            "quantity": self.quantity,
            "seats": [{"index": s.index, "key": s.key, "label": s.label} for s in self.seats],
            "price_minor": self.price_minor,
            "quota_ids": [str(quota_id) for quota_id in self.quota_ids],
        }
        if self.quote:
            kept["quote"] = self.quote.to_json()
        if self.charges_id:
            kept["charges_id"] = str(self.charges_id)
        if self.code_id:
            kept["code_id"] = str(self.code_id)
        return kept


def held_item_from_json(kept: Mapping[str, object]) -> HeldItem:
    """Read an item back from the row of its reservation."""
    fields = dict(kept)
    seats = fields.pop("seats")
    quota_ids = fields.pop("quota_ids")
    quote, charges_id, code_id = (fields.pop(name, None) for name in ("quote", "charges_id", "code_id"))
    assert isinstance(seats, list)  # noqa: S101 (this program wrote it)
    assert isinstance(quota_ids, list)  # noqa: S101 (this program wrote it)
    fields["ticket_type_id"] = UUID(str(fields["ticket_type_id"]))
    fields["price_category_id"] = UUID(str(fields["price_category_id"]))
    return HeldItem(
        seats=tuple(HeldSeat(**seat) for seat in seats),  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        quota_ids=tuple(UUID(quota_id) for quota_id in quota_ids),  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        quote=line_quote_from_json(cast("Mapping[str, Any]", quote)) if quote else None,
        charges_id=UUID(str(charges_id)) if charges_id else None,
        code_id=UUID(str(code_id)) if code_id else None,
        **fields,  # pyright: ignore[reportArgumentType]
    )


class Reservation(NamedTuple):
    """A buyer's temporary claim on stock of one session."""

    organization_id: UUID
    reservation_id: UUID
    session_id: UUID
    status: ReservationStatus
    token_hash: bytes
    items: tuple[HeldItem, ...]
    total_minor: int
    currency: str
    held_at: datetime
    expires_at: datetime
    expires_at_max: datetime

    @property
    def quantity(self) -> int:
        """How many places it claims."""
        return sum(item.quantity for item in self.items)


@dataclass(frozen=True, slots=True)
class BestAvailable:
    """A wish for the best seats that are left, together if possible."""

    count: int
    section: str | None = None
    accessible: int = 0
    companions: int = 0


class ItemRequest(NamedTuple):
    """What a buyer asks for of one ticket type, in exactly one of three ways.

    A quantity (of an area, where the map has any), named seats, or the best available.
    """

    ticket_type_id: UUID
    quantity: int | None = None
    area: str | None = None
    seats: tuple[str, ...] | None = None
    best_available: BestAvailable | None = None

    @property
    def place_count(self) -> int:
        """How many places it asks for."""
        if self.seats is not None:
            return len(self.seats)
        if self.best_available is not None:
            return self.best_available.count
        return self.quantity or 0


class Draw(NamedTuple):
    """What a reservation takes out of the stock: counts per quota, and seats by index."""

    quota_counts: Mapping[UUID, int]
    seats: Sequence[int]


def draw_of(items: Sequence[HeldItem]) -> Draw:
    """Add up what held items draw."""
    counts: dict[UUID, int] = {}
    for item in items:
        for quota_id in item.quota_ids:
            counts[quota_id] = counts.get(quota_id, 0) + item.quantity
    return Draw(counts, sorted(seat.index for item in items for seat in item.seats))


class NotOnSale(Conflict):
    """The session is not sold at this instant; ``sales_from`` and ``sales_until`` say when it is."""

    code = "not_on_sale"
    title = "This is not on sale now."


class SoldOut(Conflict):
    """There is less left than was asked for; ``available`` says how much of that ticket type."""

    code = "sold_out"
    title = "There are not enough places left."


class SeatTaken(Conflict):
    """At least one of the seats is held, sold or blocked; ``seats`` lists those."""

    code = "seat_taken"
    title = "Somebody else has one of these seats."


class LimitPerOrder(Conflict):
    """More places than one order may have; ``limit`` says how many it may."""

    code = "limit_per_order"
    title = "This is more than one order may have."


class NotSold(Invalid):
    """The request names something that this session does not sell; ``errors`` names the field."""

    code = "not_sold_here"
    title = "This session does not sell that."


class ReservationNotFound(NotFound):
    """There is no such reservation, or the secret does not open it."""

    code = "reservation_not_found"
    title = "There is no such reservation."


class ReservationExpired(Conflict):
    """The reservation is no longer held; ``reservation_status`` says how it ended."""

    code = "reservation_expired"
    title = "The reservation is no longer held."


class SessionNotFound(NotFound):
    """There is no such session."""

    code = "session_not_found"
    title = "There is no such session."


class QuotaBelowSold(Conflict):
    """A quota cannot be lower than what is held, sold and blocked of it; the fields give the numbers."""

    code = "quota_below_sold"
    title = "More than that is already held, sold or blocked."


class AllocationNotFound(NotFound):
    """There is no such allocation, or it was given back."""

    code = "allocation_not_found"
    title = "There is no such allocation."


class DeskFull(Unavailable):
    """So many requests wait for this session that one more would wait too long."""

    code = "desk_full"
    title = "Very many people are buying at this moment; try again in a second."


def limit_error(limit: int, asked: int, ticket_type: str | None = None) -> LimitPerOrder:
    """Say how many places one order may have."""
    of_what = f" of {ticket_type}" if ticket_type else ""
    return LimitPerOrder(f"One order may have at most {limit} places{of_what}; {asked} were asked for.", limit=limit)
