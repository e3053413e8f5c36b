"""What an order is: its states, what it is made of, who bought it, and how it is refused."""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from fullhouse.core.errors import Conflict, Invalid, NotFound, invalid_field
from fullhouse.core.json import Json
from fullhouse.core.secrets import derive_key
from fullhouse.pricing.parts import LineQuote, Parts
from fullhouse.reservations.rules import HeldSeat

EMAIL_LENGTH_MAX = 254
NAME_LENGTH_MAX = 200
LineKind = Literal["ticket", "fee", "discount", "product", "tax"]

_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)


class OrderStatus(StrEnum):
    """Where an order stands. Money may still come when it is cancelled or expired: see ``NEXT``."""

    PENDING = "pending"
    PAID = "paid"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    PAID_UNSEATED = "paid_unseated"
    REFUNDED = "refunded"


NEXT: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: frozenset(
        {OrderStatus.PAID, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.PAID_UNSEATED}
    ),
    # Late money: paid when there are places for it, else waiting for its refund, in the same transaction.
    OrderStatus.CANCELLED: frozenset({OrderStatus.PAID, OrderStatus.PAID_UNSEATED}),
    OrderStatus.EXPIRED: frozenset({OrderStatus.PAID, OrderStatus.PAID_UNSEATED}),
    OrderStatus.PAID_UNSEATED: frozenset({OrderStatus.PAID, OrderStatus.REFUNDED}),
    OrderStatus.PAID: frozenset({OrderStatus.REFUNDED}),
    OrderStatus.REFUNDED: frozenset(),
}
"""What an order may become."""

UNPAID = frozenset({OrderStatus.PENDING, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.PAID_UNSEATED})
"""What money can still make paid."""


def before(status: OrderStatus) -> list[str]:
    """List the states from which an order may become this, for the guard of a statement."""
    return sorted(earlier.value for earlier, later in NEXT.items() if status in later)


@dataclass(frozen=True, slots=True)
class Order:
    """What a buyer agreed to pay for. ``total_minor`` is the sum of its lines."""

    organization_id: UUID
    order_id: UUID
    event_id: UUID
    session_id: UUID
    reservation_id: UUID
    status: OrderStatus
    secret_hash: bytes
    total_minor: int
    currency: str
    language: str
    placed_at: datetime
    paid_at: datetime | None
    ended_at: datetime | None
    reason: str | None = None
    """Why its tickets are given away; None where they are sold."""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line: so many of a thing, at a price each. Lines are replaced, never edited."""

    line_number: int
    kind: LineKind
    ticket_type_id: UUID | None
    price_category_id: UUID | None
    description: str
    area: str | None
    seats: tuple[HeldSeat, ...]
    quantity: int
    price_minor: int
    quote: LineQuote | None = None
    """Of a line of tickets: discount, fees and taxes, of which the other lines are the sums."""

    @property
    def total_minor(self) -> int:
        """The price of all of it."""
        return self.quantity * self.price_minor


@dataclass(frozen=True, slots=True)
class Unit:
    """One admission sold: what can be refunded, and later swapped or transferred."""

    unit_id: UUID
    order_id: UUID
    line_number: int
    number: int
    session_id: UUID
    ticket_type_id: UUID
    price_category_id: UUID
    area: str | None
    seat: HeldSeat | None
    quota_ids: tuple[UUID, ...]
    """What it draws in stock, and gives back when it is cancelled."""
    price_minor: int
    live: bool
    parts: Parts
    """What it came to: its share of its line's discount, fees and taxes beside its price."""

    @property
    def paid_minor(self) -> int:
        """What the buyer paid for it in all: what its whole refund gives back."""
        return self.parts.total_minor


@dataclass(frozen=True, slots=True)
class Contact:
    """Who bought: personal data, kept apart so that it can be erased."""

    email: str
    name: str


@dataclass(frozen=True, slots=True)
class Consent:
    """What a buyer agreed to: the purpose, and the version of the text that they were shown."""

    purpose: str
    text_version: str


def hash_email(order_key: bytes, email: str) -> bytes:
    """Hash a mail address, in any case of its letters, so that only who has the server's key can look it up."""
    plain = unicodedata.normalize("NFC", email.strip()).casefold()
    return hmac.digest(derive_key(order_key, "buyer e-mail"), plain.encode(), hashlib.sha256)


def check_contact(email: str, name: str) -> Contact:
    """Take a buyer's mail address and name as typed, trimmed. An empty name is allowed. Raises ``Invalid``."""
    email, name = email.strip(), unicodedata.normalize("NFC", name).strip()
    if len(email) > EMAIL_LENGTH_MAX or not _EMAIL.fullmatch(email):
        raise invalid_field("email", "This is not a mail address.")
    if len(name) > NAME_LENGTH_MAX:
        raise invalid_field("name", f"At most {NAME_LENGTH_MAX} characters.", length_max=NAME_LENGTH_MAX)
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in name):
        raise invalid_field("name", "Line breaks and control characters are not allowed.")
    return Contact(email, name)


def buyer_of(email: str) -> str:
    """Return what addresses of one mailbox have in common: small letters, and nothing from a plus to the at sign."""
    local, _, domain = email.lower().partition("@")
    return f"{local.partition('+')[0]}@{domain}"


def drawn_by(units: Sequence[Unit]) -> tuple[list[int], dict[UUID, int]]:
    """Add up what units draw in stock: seats by index, and counts by quota."""
    counts: dict[UUID, int] = {}
    for unit in units:
        for quota_id in unit.quota_ids:
            counts[quota_id] = counts.get(quota_id, 0) + 1
    return sorted(unit.seat.index for unit in units if unit.seat), counts


class OrderNotFound(NotFound):
    """There is no such order, or the secret does not open it."""

    code = "order_not_found"
    title = "There is no such order."


class OrderExists(Conflict):
    """The reservation was ordered before; ``order_id`` names the order."""

    code = "order_exists"
    title = "This reservation was ordered before."


class LimitPerBuyer(Conflict):
    """More places of the event than one buyer may have, by mail address; ``limit`` says how many that is."""

    code = "limit_per_buyer"
    title = "That is more than one buyer may have of this event."


def check_limit(limit: int, count: int) -> int:
    """Return how many places of an event a buyer then has. Raises ``LimitPerBuyer`` where it is too many."""
    if count > limit:
        # How many it is already is not said: anybody can write down the address of somebody else.
        raise LimitPerBuyer(f"One buyer may have at most {limit} places of this event.", limit=limit)
    return count


class OrderAlreadyPaid(Conflict):
    """The order is paid, so it can be neither paid nor cancelled; a paid order is refunded."""

    code = "order_already_paid"
    title = "This order is paid."


class BuyerErased(Conflict):
    """Who bought was erased by request, so no mail about the order goes anywhere any more."""

    code = "buyer_erased"
    title = "The buyer's data was erased."


class OrderNotPending(Conflict):
    """The order has ended; ``order_status`` says how."""

    code = "order_not_pending"
    title = "This order has ended."


class OrderNotRefundable(Conflict):
    """The order was never paid, or nothing of it is left; ``order_status`` says where it stands."""

    code = "order_not_refundable"
    title = "There is nothing to refund in this order."


class ChoiceNeeded(Invalid):
    """The short form left out what this event has several of; ``errors`` names the field."""

    code = "choice_needed"
    title = "There are several to choose from."


def choice_needed(field: str, what: str, choices: Sequence[UUID]) -> ChoiceNeeded:
    """Ask for the field that the short form may leave out only where there is one choice."""
    ids: list[Json] = [str(choice) for choice in choices[:100]]
    message = f"Say which {what}." if choices else f"There is no {what} on sale."
    return ChoiceNeeded(f"{field}: {message}", errors=[{"field": field, "message": message}], choices=ids)


def refuse_unless_pending(order: Order) -> None:
    """Raise what tells a buyer why an order can be neither paid nor cancelled."""
    order_id, status = str(order.order_id), order.status.value
    if order.status is OrderStatus.PAID:
        raise OrderAlreadyPaid(order_id=order_id, order_status=status)
    if order.status is not OrderStatus.PENDING:
        detail = f"This order is {status}; it can be neither paid nor cancelled."
        raise OrderNotPending(detail, order_id=order_id, order_status=status)
