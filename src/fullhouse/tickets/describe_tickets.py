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
    faces = [
        _face(sale, server_key, speak, number)
        for number, (ticket, _) in enumerate(sale.tickets)
        if only is None or ticket.ticket_id == only
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
        issued_at=max(ticket.issued_at for ticket, _ in sale.tickets),
    )


def place_of(sale: Sale, unit: Unit, speak: Translator) -> tuple[tuple[str, str], ...]:
    """Say where a unit's holder goes, as pairs of a label and its value: section and seat, area, or category."""
    category = sale.terms.category(unit.price_category_id).name
    if unit.seat is not None:
        seat = (speak.gettext("Seat"), unit.seat.label)
        if sale.seat_map is None:
            return ((speak.gettext("Category"), category), seat)
        section = sale.seat_map.section_of_seat[unit.seat.index].name
        return ((speak.gettext("Section"), section), seat) if section else (seat,)
    if unit.area is not None:
        area = sale.seat_map.area_by_key.get(unit.area) if sale.seat_map else None
        return ((speak.gettext("Area"), area.name if area else unit.area),)
    if len(sale.terms.price_categories) > 1:
        return ((speak.gettext("Category"), category),)
    return ()


def ticket_type_of(sale: Sale, unit: Unit) -> str:
    """Name the ticket type of a unit."""
    return next(
        (kind.name for kind in sale.terms.ticket_types if kind.ticket_type_id == unit.ticket_type_id),
        "",
    )


def _face(sale: Sale, server_key: bytes, speak: Translator, position: int) -> TicketFace:
    ticket: Ticket
    unit: Unit
    ticket, unit = sale.tickets[position]
    return TicketFace(
        ticket_id=ticket.ticket_id,
        reference=reference_of(ticket.ticket_id),
        place=place_of(sale, unit, speak),
        ticket_type=ticket_type_of(sale, unit),
        price=speak.money(unit.price_minor, sale.order.currency),
        holder=sale.contact.name if sale.contact else "",
        number=speak.gettext("%(number)s of %(count)s", number=position + 1, count=len(sale.tickets)),
        code=code_of(server_key, ticket),
    )


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
