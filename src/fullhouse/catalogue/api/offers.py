"""What is answered about ticket types and what is left for them."""

from uuid import UUID

from fullhouse.catalogue.availability import Offer
from fullhouse.infra.http import ApiModel
from fullhouse.pricing.answers import ChargeAnswer, charge_answers


class PriceAnswer(ApiModel):
    """A price in a price category, and what is left there for the ticket type.

    ``total_minor`` is all that one ticket costs that is bought alone, with fees and taxes; ``charges`` says what of it
    is paid beside the price, or contained.
    """

    price_category_id: UUID
    price_category: str
    name: str
    price_minor: int
    total_minor: int
    charges: list[ChargeAnswer]
    available: int


class OfferAnswer(ApiModel):
    """A ticket type, its lowest price without and with fees and taxes, its prices, and what is left for it."""

    id: UUID
    name: str
    price_minor: int | None
    total_minor: int | None
    prices: list[PriceAnswer]
    available: int


class TicketTypeAnswer(OfferAnswer):
    """A ticket type with all of its terms."""

    description: str
    per_order_max: int | None
    on_sale: bool
    hidden: bool


class AreaAnswer(ApiModel):
    """What is left in a standing area."""

    key: str
    available: int


class AvailabilityAnswer(ApiModel):
    """What is left of a session; ``seats`` is base64 of two bits a seat, in map order, low bits first."""

    version: int
    map_version: int | None
    on_sale: bool
    ticket_types: list[OfferAnswer]
    areas: list[AreaAnswer]
    seats: str | None


def offer_answer(offer: Offer) -> OfferAnswer:
    """Show what is left for a ticket type."""
    return OfferAnswer(
        id=offer.ticket_type.ticket_type_id,
        name=offer.ticket_type.name,
        price_minor=offer.price_minor,
        total_minor=offer.total_minor,
        prices=[
            PriceAnswer(
                price_category_id=price.category.price_category_id,
                price_category=price.category.key,
                name=price.category.name,
                price_minor=price.price_minor,
                total_minor=price.quote.total_minor,
                charges=charge_answers([price.quote]),
                available=price.available,
            )
            for price in offer.prices
        ],
        available=offer.available,
    )


def ticket_type_answer(offer: Offer) -> TicketTypeAnswer:
    """Show a ticket type with its terms and what is left for it."""
    kind = offer.ticket_type
    return TicketTypeAnswer(
        **dict(offer_answer(offer)),
        description=kind.description,
        per_order_max=kind.per_order_max,
        on_sale=kind.on_sale,
        hidden=kind.hidden,
    )
