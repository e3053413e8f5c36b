"""The form of a session: from its fields to what is asked of the box office, or to what is wrong with it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from pydantic import ValidationError

from fullhouse.catalogue.show_event import SessionView
from fullhouse.core.errors import Invalid
from fullhouse.events.form.rules import Form
from fullhouse.infra.languages import Translator
from fullhouse.orders.persons.rules import NOTHING_GIVEN, Given
from fullhouse.orders.rules import Contact, check_contact
from fullhouse.reservations.api import BestAvailableWish, ItemWish
from fullhouse.reservations.rules import ItemRequest
from fullhouse.web.pages.form import count_in
from fullhouse.web.pages.shop.asked_fields import Tickets, is_shown, read_given
from fullhouse.web.pages.shop.room import Place


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field, for the person who filled it in."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Room:
    """What the form lets a buyer choose from. ``area`` is the only one where there is no choice."""

    places: tuple[Place, ...]
    area: str | None
    has_seats: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A form that makes sense: what to reserve, and for whom."""

    items: tuple[ItemRequest, ...]
    contact: Contact
    given: Given
    is_complete: bool
    """Whether the form asked for all that the event needs to know of so many tickets."""


def quantity_field(ticket_type_id: UUID) -> str:
    """Name the field of how many."""
    return f"quantity-{ticket_type_id}"


def accessible_field(ticket_type_id: UUID) -> str:
    """Name the field of how many wheelchair places."""
    return f"accessible-{ticket_type_id}"


def companions_field(ticket_type_id: UUID) -> str:
    """Name the field of how many companions."""
    return f"companions-{ticket_type_id}"


def chosen_place(fields: Mapping[str, str], places: Sequence[Place]) -> Place | None:
    """Find the place that was chosen; before a choice was made, the first one that has something left."""
    value = fields.get("place")
    if value is None:
        return next((place for place in places if place.available), None)
    return next((place for place in places if place.value == value), None)


def tickets_of(fields: Mapping[str, str], view: SessionView) -> list[Tickets]:
    """List the ticket types that are asked for, with how many; what is no number is none."""
    kinds = (offer.ticket_type for offer in view.offers)
    found = (
        Tickets(one.ticket_type_id, one.name, count_in(fields, quantity_field(one.ticket_type_id)) or 0)
        for one in kinds
    )
    return [one for one in found if one.quantity]


def read_order(
    fields: Mapping[str, str], view: SessionView, room: Room, form: Form, speak: Translator
) -> Asked | list[Problem]:
    """Read what is asked for. Returns the problems if there are any."""
    problems: list[Problem] = []
    place = chosen_place(fields, room.places) if "place" in fields else None
    if room.places and place is None:
        problems.append(Problem("place", speak.gettext("Choose where you would like to be.")))
    items = _read_items(fields, view, (room, place), speak, problems)
    contact = _read_contact(fields, speak, problems)
    tickets = tickets_of(fields, view)
    is_complete = is_shown(form, tickets, fields)
    given, wrong = read_given(form, tickets, fields, speak) if is_complete else (NOTHING_GIVEN, [])
    problems += [Problem(*one) for one in wrong]
    if problems or contact is None:
        return problems
    return Asked(tuple(items), contact, given, is_complete)


def _read_items(
    fields: Mapping[str, str],
    view: SessionView,
    where: tuple[Room, Place | None],
    speak: Translator,
    problems: list[Problem],
) -> list[ItemRequest]:
    items: list[ItemRequest] = []
    before = len(problems)
    for offer in view.offers:
        ticket_type_id = offer.ticket_type.ticket_type_id
        quantity = count_in(fields, quantity_field(ticket_type_id))
        if quantity is None:
            problems.append(Problem(quantity_field(ticket_type_id), speak.gettext("Enter a whole number.")))
        elif quantity:
            wish = _read_wish(fields, ticket_type_id, quantity, where, several=len(offer.prices) > 1)
            if wish is not None:
                items.append(wish.to_request())
            else:
                text = speak.gettext("Wheelchair places and companions are part of the tickets of this type.")
                problems.append(Problem(accessible_field(ticket_type_id), text))
    if not items and len(problems) == before and view.offers:
        first = next((offer for offer in view.offers if offer.available), view.offers[0])
        field = quantity_field(first.ticket_type.ticket_type_id)
        problems.append(Problem(field, speak.gettext("Choose at least one ticket.")))
    return items


def _read_wish(
    fields: Mapping[str, str],
    ticket_type_id: UUID,
    quantity: int,
    where: tuple[Room, Place | None],
    *,
    several: bool,
) -> ItemWish | None:
    """Make what the API would be sent; None where its own checks refuse the numbers."""
    room, place = where
    sits = room.has_seats and (place is None or place.kind in {"best", "section"})
    try:
        if not sits:
            area = place.key if place and (place.kind == "area" or several) else room.area
            return ItemWish(ticket_type_id=ticket_type_id, quantity=quantity, area=area)
        best = BestAvailableWish(
            count=quantity,
            section=place.key if place and place.kind == "section" else None,
            accessible=_count(fields, accessible_field(ticket_type_id)),
            companions=_count(fields, companions_field(ticket_type_id)),
        )
        return ItemWish(ticket_type_id=ticket_type_id, best_available=best)
    except ValidationError:
        return None


def _count(fields: Mapping[str, str], name: str) -> int:
    count = count_in(fields, name)
    # What is no number is made one that the wish refuses.
    return -1 if count is None else count


def _read_contact(fields: Mapping[str, str], speak: Translator, problems: list[Problem]) -> Contact | None:
    try:
        return check_contact(fields.get("email", ""), fields.get("name", ""))
    except Invalid as refused:
        if refused.detail.startswith("email"):
            text = speak.gettext("Enter an e-mail address, such as ana@example.com.")
            problems.append(Problem("email", text))
        else:
            problems.append(Problem("name", speak.gettext("Enter a name of at most 200 letters, on one line.")))
        return None
