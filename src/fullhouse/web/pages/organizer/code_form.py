"""Reading the form of a code: what people type becomes what the API takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from uuid import UUID

from fullhouse.core.json import Json
from fullhouse.core.money import currency_exponent
from fullhouse.events.rules import Event, SessionTerms
from fullhouse.web.pages.form import uuid_of

COUNTS = frozenset({"uses_max", "per_buyer_max"})
INSTANTS = frozenset({"valid_from", "valid_until"})
TEXTS = frozenset({"code", "note", "percent", "per"})
FIELDS = (*sorted(TEXTS | COUNTS | INSTANTS), "amount", "currency", "event")


@dataclass(frozen=True, slots=True)
class EventChoice:
    """An event that a code may be for. Its ticket types are offered once it is chosen."""

    event_id: UUID
    name: str
    currency: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class TypeChoice:
    """A ticket type that a code may make cheaper, or open where it is hidden."""

    ticket_type_id: UUID
    name: str
    session: str
    hidden: bool
    is_chosen: bool


def event_choices(events: Sequence[Event], chosen: UUID | None) -> list[EventChoice]:
    """List events to choose from."""
    return [EventChoice(one.event_id, one.name, one.currency, one.event_id == chosen) for one in events]


def type_choices(sessions: Sequence[SessionTerms], fields: Mapping[str, str]) -> list[TypeChoice]:
    """List the ticket types of an event's sessions, those that are hidden first."""
    found = [
        TypeChoice(one.ticket_type_id, one.name, terms.session_name, one.hidden, f"type:{one.ticket_type_id}" in fields)
        for terms in sessions
        for one in terms.ticket_types
    ]
    return sorted(found, key=lambda one: not one.hidden)


def read_code(fields: Mapping[str, str]) -> dict[str, Json]:
    """Return the body that the API takes. What makes no sense stays as it was typed, for the body to refuse."""
    body: dict[str, Json] = {}
    for name in sorted(TEXTS | COUNTS | INSTANTS):
        text = fields.get(name, "").strip()
        if not text:
            continue
        if name in COUNTS and text.isascii() and text.isdecimal():
            body[name] = int(text)
        else:
            # A browser's field for date and time has no zone; the page says that it is UTC.
            body[name] = f"{text:<16}:00Z"[:20] if name in INSTANTS else text
    if amount := fields.get("amount", "").strip():
        currency = fields.get("currency", "").strip().upper()
        body |= {"amount_minor": _minor(amount, currency), "currency": currency}
    if event_id := uuid_of(fields.get("event", "")):
        body["event_id"] = str(event_id)
    chosen = [name.removeprefix("type:") for name in fields if name.startswith("type:")]
    return body | ({"ticket_type_ids": chosen} if chosen else {})


def _minor(amount: str, currency: str) -> Json:
    """Read an amount with a point or a comma; what is none, or has too many decimals, stays a text."""
    try:
        minor = Decimal(amount.replace(",", ".")).scaleb(currency_exponent(currency))
    except (InvalidOperation, ValueError, KeyError):
        return amount
    return int(minor) if minor.is_finite() and minor == minor.to_integral_value() else amount
