"""Putting a sale into the words of the buyer's language, ready to be printed. Pure."""

from uuid import UUID

from fullhouse.infra.languages import Translator, translator
from fullhouse.orders.rules import Unit
from fullhouse.tickets.code import code_of
from fullhouse.tickets.load_sale import Sale
from fullhouse.tickets.rules import Document, Ticket, TicketFace, reference_of


def describe_tickets(sale: Sale, server_key: bytes, only: UUID | None = None) -> Document | None:
    """Describe the valid tickets of a sale, or the one with an id. None where there is no such valid ticket."""
    speak = translator(sale.order.language)
    valid = sale.valid
    faces = [
        _face(sale, server_key, pair, speak.gettext("%(number)s of %(count)s", number=number, count=len(valid)))
        for number, pair in enumerate(valid, start=1)
        if only is None or pair[0].ticket_id == only
    ]
    if not faces:
        return None
    terms = sale.terms
    return Document(
        language=speak.html_language,
        title=speak.gettext("Tickets for %(event)s", event=terms.event_name),
        organization=sale.organization.name,
        event=terms.event_name,
        session=terms.session_name,
        date=speak.date(terms.starts_at, terms.time_zone),
        time=speak.time(terms.starts_at, terms.time_zone),
        time_zone=speak.time_zone(terms.starts_at, terms.time_zone),
        location=terms.location,
        labels=_labels(speak),
        tickets=tuple(faces),
        issued_at=max(ticket.issued_at for ticket, _ in valid),
    )


def section_of(sale: Sale, unit: Unit) -> str:
    """Name the section of a unit's seat; empty for what is no seat, or where the section has no name."""
    if unit.seat is None or sale.seat_map is None:
        return ""
    return sale.seat_map.section_of_seat[unit.seat.index].name


def area_of(sale: Sale, unit: Unit) -> str:
    """Name the standing area of a unit; empty for what is in none."""
    area = sale.seat_map.area_by_key.get(unit.area) if sale.seat_map and unit.area else None
    return area.name if area else unit.area or ""


def ticket_type_of(sale: Sale, unit: Unit) -> str:
    """Name the ticket type of a unit."""
    names = (kind.name for kind in sale.terms.ticket_types if kind.ticket_type_id == unit.ticket_type_id)
    return next(names, "")


def _face(sale: Sale, server_key: bytes, pair: tuple[Ticket, Unit], number: str) -> TicketFace:
    ticket, unit = pair
    speak = translator(sale.order.language)
    return TicketFace(
        ticket_id=ticket.ticket_id,
        reference=reference_of(ticket.ticket_id),
        place=_place_of(sale, unit, speak),
        ticket_type=ticket_type_of(sale, unit),
        price=speak.money(unit.paid_minor, sale.order.currency),
        holder=sale.holder_of(unit) or "",
        number=number,
        code=code_of(server_key, ticket),
    )


def _place_of(sale: Sale, unit: Unit, speak: Translator) -> tuple[tuple[str, str], ...]:
    """Say where a unit's holder goes, as pairs of a label and its value: section and seat, area, or category."""
    category = (speak.gettext("Category"), sale.terms.category(unit.price_category_id).name)
    if unit.seat is not None:
        section = section_of(sale, unit)
        part = (speak.gettext("Section"), section) if section else category
        return (part, (speak.gettext("Seat"), unit.seat.label))
    if unit.area is not None:
        return ((speak.gettext("Area"), area_of(sale, unit)),)
    return (category,) if len(sale.terms.price_categories) > 1 else ()


def _labels(speak: Translator) -> dict[str, str]:
    return {
        "date": speak.gettext("Date"),
        "time": speak.gettext("Time"),
        "location": speak.gettext("Venue"),
        "ticket_type": speak.gettext("Ticket"),
        "price": speak.gettext("Price"),
        "holder": speak.gettext("Name"),
        "qr": speak.gettext("QR code of the ticket"),
        "advice": speak.gettext("Show this code at the door. It lets one person in: do not share pictures of it."),
    }
