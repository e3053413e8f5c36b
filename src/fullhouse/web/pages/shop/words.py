"""How prices, dates and counts are said on the pages. Pure."""

from collections.abc import Sequence
from datetime import datetime

from fullhouse.events.rules import EventStatus, SessionStatus, SessionTerms
from fullhouse.infra.languages import Translator
from fullhouse.pricing.parts import ChargeKind, NamedCharge


def date_and_time(speak: Translator, instant: datetime, time_zone: str) -> str:
    """Write an instant in full: ``Saturday, December 5, 2026, 8:00 PM``."""
    return f"{speak.date(instant, time_zone)}, {speak.time(instant, time_zone)}"


def price(speak: Translator, amount_minor: int, currency: str) -> str:
    """Write one price."""
    return speak.money(amount_minor, currency) if amount_minor else speak.gettext("Free")


def price_span(speak: Translator, amounts_minor: Sequence[int], currency: str) -> str:
    """Write prices from the lowest to the highest, or the one that they all are; nothing for none."""
    if not amounts_minor:
        return ""
    low, high = min(amounts_minor), max(amounts_minor)
    if low == high:
        return price(speak, low, currency)
    return f"{price(speak, low, currency)} – {price(speak, high, currency)}"


def lowest_price(speak: Translator, amounts_minor: Sequence[int], currency: str) -> str:
    """Write the lowest of several prices as such, or the only one."""
    if not amounts_minor:
        return ""
    lowest = price(speak, min(amounts_minor), currency)
    return lowest if len(set(amounts_minor)) == 1 else speak.gettext("from %(price)s", price=lowest)


def charges_text(speak: Translator, charges: Sequence[NamedCharge], currency: str) -> str:
    """Say which fees and taxes an amount contains; nothing where it contains none."""
    named = [
        f"{one.name} {speak.money(one.amount_minor, currency)}"
        for one in charges
        if one.kind is not ChargeKind.DISCOUNT
    ]
    return speak.gettext("includes %(charges)s", charges=", ".join(named)) if named else ""


def change_of(speak: Translator, terms: SessionTerms) -> str:
    """Say that a session does not happen as it was first announced; nothing where it does."""
    if terms.status is SessionStatus.MOVED:
        return speak.gettext("New date")
    if terms.status is SessionStatus.POSTPONED:
        return speak.gettext("Postponed")
    return ""


def why_not_on_sale(speak: Translator, terms: SessionTerms, now: datetime) -> tuple[str, str]:
    """Say why a session is not on sale at an instant, and what a buyer can do."""
    if EventStatus.CANCELLED is terms.event_status or terms.status is SessionStatus.CANCELLED:
        return (
            speak.gettext("This session is cancelled"),
            speak.gettext("No tickets are sold for it. If you hold tickets, the organizer will write to you."),
        )
    if terms.sales_from is not None and now < terms.sales_from:
        opens = date_and_time(speak, terms.sales_from, terms.time_zone)
        return (
            speak.gettext("On sale from %(date)s", date=opens),
            speak.gettext("Please come back then. Times are those of the place where it happens."),
        )
    return (
        speak.gettext("Sales have ended"),
        speak.gettext("Tickets for this session are not sold here any more."),
    )
