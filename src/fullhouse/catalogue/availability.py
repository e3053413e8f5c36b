"""What is left of a session, and the body that says so. Pure."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from fullhouse.core.json import Json
from fullhouse.events.rules import PriceCategory, SessionTerms, TicketType
from fullhouse.pricing.codes import OpenedCode
from fullhouse.pricing.parts import ChargeKind, LineQuote, NamedCharge, Places, breakdown_of
from fullhouse.pricing.quote import quote
from fullhouse.pricing.rules import Discount, percent_text
from fullhouse.reservations.rules import SeatState
from fullhouse.reservations.stock import Counter


@dataclass(frozen=True, slots=True)
class PriceOffer:
    """What is left in one price category for one ticket type."""

    category: PriceCategory
    price_minor: int
    available: int
    quote: LineQuote
    """What one ticket comes to that is bought alone, with fees and taxes."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What is left for one ticket type. ``available`` is 0 for a type that is not on sale."""

    ticket_type: TicketType
    prices: tuple[PriceOffer, ...]
    available: int

    @property
    def price_minor(self) -> int | None:
        """The lowest price, or None where the type has none."""
        return min((price.price_minor for price in self.prices), default=None)

    @property
    def total_minor(self) -> int | None:
        """The least that one ticket costs with fees and taxes, or None where the type has no price."""
        return min((price.quote.total_minor for price in self.prices), default=None)


NO_CODE = OpenedCode(None, None, frozenset())


def offers_of(terms: SessionTerms, counters: Mapping[UUID, Counter], opened: OpenedCode = NO_CODE) -> tuple[Offer, ...]:
    """Work out what is left for each ticket type, in the order of the session, and what it costs with a code.

    Hidden ticket types are left out, but for those that the code opens.
    """
    return tuple(_offer(terms, kind, counters, opened.discount) for kind in _shown(terms, opened))


def places_left(terms: SessionTerms, counters: Mapping[UUID, Counter], opened: OpenedCode = NO_CODE) -> int:
    """Count the places that are left for any ticket type on sale, within quotas that all of those draw on.

    What is hidden does not count, but for what a code opens.
    """
    types = [kind for kind in _shown(terms, opened) if kind.on_sale and kind.prices]
    sold_in = {key for kind in types for key in kind.prices}
    quotas = [one.quota_id for one in terms.price_categories if one.price_category_id in sold_in]
    common = set(types[0].quota_ids).intersection(*(kind.quota_ids for kind in types)) if types else set[UUID]()
    total = sum(_left(counters, quota_id) for quota_id in quotas)
    return min([total, *(_left(counters, quota_id) for quota_id in common)])


def _shown(terms: SessionTerms, opened: OpenedCode) -> list[TicketType]:
    return [kind for kind in terms.ticket_types if not kind.hidden or kind.ticket_type_id in opened.opens]


def _offer(terms: SessionTerms, kind: TicketType, counters: Mapping[UUID, Counter], discount: Discount | None) -> Offer:
    limit = min((_left(counters, quota_id) for quota_id in kind.quota_ids), default=None)
    prices: list[PriceOffer] = []
    for category in terms.price_categories:
        price_minor = kind.prices.get(category.price_category_id)
        if price_minor is not None:
            left = _left(counters, category.quota_id) if kind.on_sale else 0
            left = left if limit is None else min(left, limit)
            (quoted,) = quote(terms.charges, (Places(kind.ticket_type_id, price_minor, 1),), discount)
            prices.append(PriceOffer(category, price_minor, left, quoted))
    total = sum(price.available for price in prices)
    return Offer(kind, tuple(prices), total if limit is None else min(total, limit))


def _left(counters: Mapping[UUID, Counter], quota_id: UUID) -> int:
    counter = counters.get(quota_id)
    return 0 if counter is None else max(counter.available, 0)


def pack_seats(states: Sequence[int]) -> bytes:
    """Pack states of seats into two bits each, in map order, the first in the lowest bits of the first byte."""
    padded = bytes(states) + bytes(-len(states) % 4)
    # As four long numbers, a byte for each fourth seat: two bits, shifted by at most six, never leave their byte.
    first, second, third, fourth = (int.from_bytes(padded[at::4], "little") for at in range(4))
    return (first | second << 2 | third << 4 | fourth << 6).to_bytes(len(padded) // 4, "little")


def freed(states: bytes, lapsed: Sequence[int]) -> bytes:
    """Return the states with the seats of lapsed holds as available."""
    if not lapsed:
        return states
    changed = bytearray(states)
    for seat in lapsed:
        if changed[seat] == SeatState.HELD:
            changed[seat] = SeatState.AVAILABLE
    return bytes(changed)


@dataclass(frozen=True, slots=True)
class Availability:
    """What is left of a session, as of one version of its stock."""

    version: int
    map_version: int | None
    on_sale: bool
    offers: tuple[Offer, ...]
    areas: Mapping[str, int]
    """What is left in each standing area of the map, by its key."""
    seats: bytes | None
    """Packed states, or None for a session without a seat map."""


def availability_json(found: Availability) -> dict[str, Json]:
    """Return the answer of the contract."""
    return {
        "version": found.version,
        "map_version": found.map_version,
        "on_sale": found.on_sale,
        "ticket_types": [offer_json(offer) for offer in found.offers],
        "areas": [{"key": key, "available": left} for key, left in found.areas.items()],
        "seats": None if found.seats is None else b64encode(found.seats).decode(),
    }


def offer_json(offer: Offer) -> dict[str, Json]:
    """Return one ticket type with what is left for it."""
    return {
        "id": str(offer.ticket_type.ticket_type_id),
        "name": offer.ticket_type.name,
        "price_minor": offer.price_minor,
        "total_minor": offer.total_minor,
        "prices": [
            {
                "price_category_id": str(price.category.price_category_id),
                "price_category": price.category.key,
                "name": price.category.name,
                "price_minor": price.price_minor,
                "total_minor": price.quote.total_minor,
                "charges": [_charge_json(one) for one in breakdown_of([price.quote])],
                "available": price.available,
            }
            for price in offer.prices
        ],
        "available": offer.available,
    }


def _charge_json(one: NamedCharge) -> dict[str, Json]:
    return {
        "kind": one.kind.value,
        "name": one.name,
        "percent": percent_text(one.rate) if one.kind is ChargeKind.TAX else None,
        "amount_minor": one.amount_minor,
        "included": one.contained,
    }


def encode_body(answer: Mapping[str, Json]) -> tuple[bytes, str]:
    """Encode an answer and return it with its entity tag."""
    body = json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode()
    return body, f'"{sha256(body).hexdigest()[:24]}"'


def next_change_by_time(terms: SessionTerms, now: datetime, next_expiry: datetime | None) -> datetime | None:
    """Return the next instant at which the answer changes by time alone: a hold lapses, sales open or close."""
    sales = (terms.sales_from, terms.sales_until or terms.starts_at, next_expiry)
    return min((instant for instant in sales if instant is not None and instant > now), default=None)
