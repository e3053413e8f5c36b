"""What the pages show of a session and its form. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.catalogue.availability import Offer
from fullhouse.catalogue.show_event import SessionView
from fullhouse.core.json import Json
from fullhouse.infra.languages import Translator
from fullhouse.pricing.parts import breakdown_of
from fullhouse.web.pages.figures import number
from fullhouse.web.pages.shop.room import Place
from fullhouse.web.pages.shop.session_form import (
    Problem,
    accessible_field,
    chosen_place,
    companions_field,
    quantity_field,
)
from fullhouse.web.pages.shop.words import change_of, charges_text, lowest_price, price_span, why_not_on_sale


@dataclass(frozen=True, slots=True)
class SessionCard:
    """A session as the pages name it."""

    session_id: UUID
    name: str
    starts_at: datetime
    time_zone: str
    change: str
    state: str
    """``on_sale``, or ``closed`` with the reason in the two texts."""
    state_text: str
    state_help: str
    available: int
    price_minor: int | None
    price_text: str
    per_order_max: int


def session_card(view: SessionView, now: datetime, speak: Translator) -> SessionCard:
    """Describe a session."""
    terms = view.terms
    text, help_text = ("", "") if view.on_sale else why_not_on_sale(speak, terms, now)
    prices = [one.quote.total_minor for offer in view.offers if offer.available for one in offer.prices]
    return SessionCard(
        session_id=terms.session_id,
        name=terms.session_name,
        starts_at=terms.starts_at,
        time_zone=terms.time_zone,
        change=change_of(speak, terms),
        state="on_sale" if view.on_sale else "closed",
        state_text=text,
        state_help=help_text,
        available=view.available,
        price_minor=min(prices, default=None),
        price_text=lowest_price(speak, prices, terms.currency),
        per_order_max=terms.per_order_max,
    )


@dataclass(frozen=True, slots=True)
class KindRow:
    """A ticket type in the form."""

    field: str
    name: str
    description: str
    price_text: str
    charges_text: str
    available: int
    count_max: int
    value: str
    described_by: str
    accessible_field: str
    accessible_value: str
    companions_field: str
    companions_value: str


def kind_rows(
    view: SessionView, fields: Mapping[str, str], bad_fields: Collection[str], speak: Translator
) -> list[KindRow]:
    """Describe the ticket types that are on sale, with what was entered before."""
    return [_kind_row(view, offer, fields, bad_fields, speak) for offer in view.offers if offer.ticket_type.on_sale]


def _kind_row(
    view: SessionView, offer: Offer, fields: Mapping[str, str], bad_fields: Collection[str], speak: Translator
) -> KindRow:
    kind = offer.ticket_type
    field = quantity_field(kind.ticket_type_id)
    count_max = min(view.terms.per_order_max, kind.per_order_max or view.terms.per_order_max, offer.available)
    entered = fields.get(field, "0").strip()
    accessible, companions = accessible_field(kind.ticket_type_id), companions_field(kind.ticket_type_id)
    return KindRow(
        field=field,
        name=kind.name,
        description=kind.description,
        price_text=price_span(speak, [one.quote.total_minor for one in offer.prices], view.terms.currency),
        charges_text=_charges_text(offer, view.terms.currency, speak),
        available=offer.available,
        count_max=count_max,
        value=str(min(int(entered), count_max)) if entered.isascii() and entered.isdecimal() else "0",
        described_by=f"limit {field}-problem" if field in bad_fields else "limit",
        accessible_field=accessible,
        accessible_value=fields.get(accessible, ""),
        companions_field=companions,
        companions_value=fields.get(companions, ""),
    )


def _charges_text(offer: Offer, currency: str, speak: Translator) -> str:
    """Say what the price contains; in words alone where there are several prices."""
    if len(offer.prices) == 1:
        return charges_text(speak, breakdown_of([offer.prices[0].quote]), currency)
    named = {one.name for price in offer.prices for one in breakdown_of([price.quote])}
    return speak.gettext("includes %(charges)s", charges=", ".join(sorted(named))) if named else ""


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """A place in the form."""

    value: str
    name: str
    available: int
    prices: tuple[str, ...]
    option_text: str
    chosen: bool
    parts: Sequence[Json]
    """Of what it consists, for the script that counts what is left."""


def place_rows(places: Sequence[Place], fields: Mapping[str, str], currency: str, speak: Translator) -> list[PlaceRow]:
    """Describe the places among which to choose; the one that was chosen before stays so."""
    chosen = chosen_place(fields, places)
    rows: list[PlaceRow] = []
    for place in places:
        name = _place_name(place, speak)
        prices = _prices(place, currency, speak)
        rows.append(
            PlaceRow(
                value=place.value,
                name=name,
                available=place.available,
                prices=prices,
                option_text=f"{name} · {_left(place.available, speak)}",
                chosen=place is chosen,
                parts=[part.to_json() for part in place.parts],
            )
        )
    return rows


def entered_accessible(view: SessionView, fields: Mapping[str, str], problems: Sequence[Problem]) -> bool:
    """Say whether the part about wheelchair places was used, so that it is shown open."""
    names = [
        name
        for offer in view.offers
        for name in (
            accessible_field(offer.ticket_type.ticket_type_id),
            companions_field(offer.ticket_type.ticket_type_id),
        )
    ]
    wrong = {problem.field for problem in problems}
    return any(name in wrong or fields.get(name, "0").strip() not in {"", "0"} for name in names)


def _prices(place: Place, currency: str, speak: Translator) -> tuple[str, ...]:
    """Say what each ticket type costs there: ``Adult €30.00``; the price alone where there is a single type."""
    spans = [(one.ticket_type, price_span(speak, one.amounts_minor, currency)) for one in place.prices]
    return (spans[0][1],) if len(spans) == 1 else tuple(f"{name} {span}" for name, span in spans)


def _place_name(place: Place, speak: Translator) -> str:
    if place.kind == "area":
        return speak.gettext("%(name)s (standing)", name=place.name)
    if place.kind == "best":
        return place.name or speak.gettext("Best seats anywhere")
    return place.name


def _left(count: int, speak: Translator) -> str:
    if not count:
        return speak.gettext("Sold out")
    return speak.ngettext("%(num)s left", "%(num)s left", count, num=number(speak, count))
