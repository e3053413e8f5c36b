"""What is asked for with an order, and what comes of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fullhouse.orders.persons.rules import NOTHING_GIVEN, Given
from fullhouse.orders.rules import Contact, Order, OrderLine


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a buyer sends: the reservation with the token that opens it, and who they are."""

    organization_id: UUID
    reservation_id: UUID
    token: str
    contact: Contact
    language: str
    given: Given = NOTHING_GIVEN
    code: str | None = None
    """A code as the buyer typed it; what the places were held with need not be shown again."""
    reason: str | None = None
    """Why the tickets are given away: their prices are taken off, nothing is charged, no limit per buyer holds."""


class Asked(NamedTuple):
    """An order that is asked for, in the name of a request of its own among many."""

    request: OrderRequest
    request_id: str | None
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order as it was placed, and until when its places are held."""

    order: Order
    lines: tuple[OrderLine, ...]
    expires_at: datetime
