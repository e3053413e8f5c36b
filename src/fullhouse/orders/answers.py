"""How an order is shown: the wire models that routes of this and higher features answer with."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from fullhouse.infra.http import ApiModel, Instant
from fullhouse.infra.languages import language_tag
from fullhouse.orders.lines import quotes_of
from fullhouse.orders.rules import Contact, LineKind, Order, OrderLine, OrderStatus
from fullhouse.pricing.answers import ChargeAnswer, charge_answers


class SeatAnswer(ApiModel):
    """A seat: its permanent key, and what people read."""

    key: str
    label: str


class LineAnswer(ApiModel):
    """One line of an order; ``price_minor`` is for each, ``total_minor`` for all of it."""

    line_number: int
    kind: LineKind
    ticket_type_id: UUID | None
    price_category_id: UUID | None
    description: str
    area: str | None
    seats: list[SeatAnswer]
    quantity: int
    price_minor: int
    total_minor: int


class OrderAnswer(ApiModel):
    """An order. ``email`` and ``name`` are null where they were erased.

    ``total_minor`` is the sum of the lines; ``charges`` says what of it is paid beside the prices, or contained.
    """

    id: UUID
    status: OrderStatus
    event_id: UUID
    session_id: UUID
    reservation_id: UUID
    email: str | None
    name: str | None
    language: str
    lines: list[LineAnswer]
    reason: str | None
    """Why its tickets were given away."""
    total_minor: int
    charges: list[ChargeAnswer]
    currency: str
    placed_at: Instant
    expires_at: Instant | None
    """Until when its places are held, while it waits to be paid."""
    paid_at: Instant | None


class PlacedOrderAnswer(OrderAnswer):
    """An order with its secret: ``Authorization: Order <secret>`` opens it from then on."""

    secret: str


def line_answer(line: OrderLine) -> LineAnswer:
    """Show one line."""
    return LineAnswer(
        line_number=line.line_number,
        kind=line.kind,
        ticket_type_id=line.ticket_type_id,
        price_category_id=line.price_category_id,
        description=line.description,
        area=line.area,
        seats=[SeatAnswer(key=seat.key, label=seat.label) for seat in line.seats],
        quantity=line.quantity,
        price_minor=line.price_minor,
        total_minor=line.total_minor,
    )


def order_answer(
    order: Order, lines: Sequence[OrderLine], contact: Contact | None, expires_at: datetime | None
) -> OrderAnswer:
    """Show an order without its secret."""
    return OrderAnswer(
        id=order.order_id,
        status=order.status,
        event_id=order.event_id,
        session_id=order.session_id,
        reservation_id=order.reservation_id,
        email=contact.email if contact else None,
        name=contact.name if contact else None,
        language=language_tag(order.language),
        lines=[line_answer(line) for line in lines],
        reason=order.reason,
        total_minor=order.total_minor,
        charges=charge_answers(quotes_of(lines)),
        currency=order.currency,
        placed_at=order.placed_at,
        expires_at=expires_at if order.status is OrderStatus.PENDING else None,
        paid_at=order.paid_at,
    )
