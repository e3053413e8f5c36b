"""What the API answers of reservations. Those that are placed are written by ``encode_reservation``."""

from uuid import UUID

from fullhouse.infra.http import ApiModel, Instant
from fullhouse.pricing.answers import ChargeAnswer, charge_answers
from fullhouse.reservations.rules import HeldItem, Reservation, ReservationStatus


class SeatAnswer(ApiModel):
    """A seat: its permanent key, and what people read."""

    key: str
    label: str


class ItemAnswer(ApiModel):
    """Places that are held, with the price of each, and what all of them cost with fees and taxes."""

    ticket_type_id: UUID
    ticket_type: str
    price_category_id: UUID
    price_category: str
    area: str | None
    quantity: int
    seats: list[SeatAnswer]
    price_minor: int
    total_minor: int


class ReservationAnswer(ApiModel):
    """A reservation; ``token`` is shown when it is placed, and opens it from then on.

    ``total_minor`` is all that is to be paid; ``charges`` says what of it is paid beside the prices, or contained.
    """

    id: UUID
    session_id: UUID
    status: ReservationStatus
    expires_at: Instant
    items: list[ItemAnswer]
    total_minor: int
    charges: list[ChargeAnswer]
    currency: str


class PlacedReservation(ReservationAnswer):
    """A reservation with its secret."""

    token: str


def item_answer(item: HeldItem) -> ItemAnswer:
    """Show one held item."""
    return ItemAnswer(
        ticket_type_id=item.ticket_type_id,
        ticket_type=item.ticket_type,
        price_category_id=item.price_category_id,
        price_category=item.price_category,
        area=item.area,
        quantity=item.quantity,
        seats=[SeatAnswer(key=seat.key, label=seat.label) for seat in item.seats],
        price_minor=item.price_minor,
        total_minor=item.total_minor,
    )


def reservation_answer(reservation: Reservation) -> ReservationAnswer:
    """Show a reservation without its secret."""
    return ReservationAnswer(
        id=reservation.reservation_id,
        session_id=reservation.session_id,
        status=reservation.status,
        expires_at=reservation.expires_at,
        items=[item_answer(item) for item in reservation.items],
        total_minor=reservation.total_minor,
        charges=charge_answers([item.quote for item in reservation.items if item.quote]),
        currency=reservation.currency,
    )
