"""Writing the mail that brings an order's tickets: text, HTML, the PDF and a calendar entry. Pure."""

from collections.abc import Mapping
from datetime import date, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from fullhouse.infra.languages import Translator, translator
from fullhouse.infra.mail_body import Attachment, parsed_header, with_body
from fullhouse.orders.rules import Contact
from fullhouse.tickets.load_sale import Sale
from fullhouse.tickets.rules import Document

if TYPE_CHECKING:
    import icalendar
    from jinja2 import Environment


_CALENDAR = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Fullhouse//Tickets//EN\r\nMETHOD:PUBLISH\r\n"
_CALENDAR_END = b"END:VCALENDAR\r\n"


def kind_of(number: int) -> str:
    """Name the kind of a mail with tickets: the first of an order, or one that was asked for later."""
    return f"tickets-{number}" if number else "tickets"


def message_id_of(order_id: UUID, host: str, number: int = 0) -> str:
    """Name a mail of an order. It is the same however often this mail is sent."""
    return f"<{kind_of(number)}.{order_id}@{host}>"


def write_mail(
    sale: Sale, contact: Contact, document: Document, pdf: bytes, link: str, message_id: str
) -> EmailMessage:
    """Write the mail to the buyer, in the buyer's language. ``link`` opens the order's page.

    The body is written as it travels; what stands in a header and is not ours alone is left to the library.
    """
    speak = translator(sale.order.language)
    subject = speak.gettext("Your tickets for %(event)s", event=document.event)
    message = EmailMessage()
    message.set_raw("Message-ID", message_id)
    message.set_raw("Date", format_datetime(document.issued_at))
    message["To"] = Address(display_name=contact.name, addr_spec=contact.email)
    if sale.organization.contact_email:
        message["Reply-To"] = parsed_header("Reply-To", sale.organization.contact_email)
    message["Subject"] = parsed_header("Subject", subject)
    message.set_raw("Auto-Submitted", "auto-generated")
    message.set_raw("Content-Language", speak.html_language)
    values = _values(sale, contact, document, speak, link)
    environment = _environment(speak.language)
    name, host = speak.gettext("tickets"), message_id.rpartition("@")[2].rstrip(">")
    with_body(
        message,
        alternatives=(
            ("plain", environment.get_template("tickets.txt").render(values)),
            ("html", environment.get_template("tickets.html").render(values, subject=subject)),
        ),
        attachments=(
            Attachment("application/pdf", f"{name}.pdf", pdf),
            Attachment(
                'text/calendar; method="PUBLISH"; charset="utf-8"',
                f"{name}.ics",
                _calendar_entry(sale, document, host),
            ),
        ),
    )
    return message


def _values(sale: Sale, contact: Contact, document: Document, speak: Translator, link: str) -> dict[str, object]:
    return {
        "language": speak.html_language,
        "name": contact.name,
        "organization": document.organization,
        "event": document.event,
        "session": document.session,
        "date": document.date,
        "time": document.time,
        "time_zone": document.time_zone,
        "location": document.location,
        "tickets": document.tickets,
        "total": speak.money(sale.order.total_minor, sale.order.currency),
        "order_id": sale.order.order_id,
        "link": link,
        "receipt_link": f"{link}/receipt.pdf" if sale.order.total_minor else None,
    }


def _calendar_entry(sale: Sale, document: Document, host: str) -> bytes:
    """Write one event of RFC 5545. It holds no secret: calendars are shared."""
    terms, speak = sale.terms, translator(sale.order.language)
    zone = ZoneInfo(terms.time_zone)
    count = len(document.tickets)
    lines = [speak.ngettext("%(num)s ticket", "%(num)s tickets", count)]
    lines.extend(
        ", ".join([face.ticket_type, *(f"{name} {value}" for name, value in face.place)]) for face in document.tickets
    )
    properties = {
        "uid": f"{sale.order.order_id}@{host}",
        "dtstamp": document.issued_at,
        "dtstart": terms.starts_at.astimezone(zone),
        "dtend": terms.ends_at.astimezone(zone) if terms.ends_at else None,
        "summary": ": ".join(part for part in (document.event, document.session) if part),
        "location": document.location,
        "description": "\n".join(lines),
    }
    import icalendar  # noqa: PLC0415 (slow to load, and needed only here)

    entry = icalendar.Event()
    _add_all(entry, {name: value for name, value in properties.items() if value})
    return b"".join(
        (_CALENDAR, _rules_of_time_zone(terms.time_zone, terms.starts_at.year), entry.to_ical(), _CALENDAR_END)
    )


@lru_cache(maxsize=256)
def _rules_of_time_zone(time_zone: str, year: int) -> bytes:
    """Write the rules of a zone around a year; those of a century would be longer than the entry."""
    import icalendar  # noqa: PLC0415 (slow to load, and needed only here)

    calendar = icalendar.Calendar()
    moment = icalendar.Event()
    _add_all(moment, {"dtstart": datetime(year, 1, 1, tzinfo=ZoneInfo(time_zone))})
    calendar.add_component(moment)
    calendar.add_missing_timezones(date(year - 1, 1, 1), date(year + 2, 1, 1))
    return b"".join(zone.to_ical() for zone in calendar.timezones)


def _add_all(component: "icalendar.Component", properties: Mapping[str, object]) -> None:
    for name, value in properties.items():
        component.add(name, value)  # pyright: ignore[reportUnknownMemberType] (it takes anything)


@cache
def _environment(language: str) -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape  # noqa: PLC0415 (slow to load)

    environment = Environment(
        loader=PackageLoader("fullhouse.tickets"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    cast("Any", environment).install_gettext_translations(translator(language).catalog, newstyle=True)
    return environment
