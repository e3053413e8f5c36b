"""What an order's page shows: where the order stands for its buyer, and what there is to say about it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.infra.languages import Translator
from fullhouse.orders.lines import quotes_of
from fullhouse.orders.rules import OrderLine, OrderStatus, Unit
from fullhouse.payments.rules import Payment, Refund, RefundStatus, count_declined, open_payment, tries_max
from fullhouse.pricing.parts import breakdown_of
from fullhouse.receipts.rules import Receipt
from fullhouse.reservations.rules import Reservation, ReservationStatus
from fullhouse.tickets.code import code_of
from fullhouse.tickets.describe_tickets import area_of, section_of, ticket_type_of
from fullhouse.tickets.load_sale import Sale
from fullhouse.tickets.rules import reference_of
from fullhouse.web.pages.shop.declines import explain_decline, last_decline
from fullhouse.web.pages.shop.words import charges_text

LOOKS_MAX = 150
"""After so many looks a page that was left open stops asking."""
FIRST_LOOKS = 10
SECONDS_FIRST = 2
SECONDS_LATER = 5


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """All that is known of an order at one instant."""

    sale: Sale
    lines: tuple[OrderLine, ...]
    reservation: Reservation | None
    payments: tuple[Payment, ...]
    refunds: tuple[Refund, ...]
    receipts: Sequence[Receipt]
    now: datetime

    @property
    def tries_left(self) -> int:
        """How often the buyer may still be declined."""
        tries = tries_max(release_on_decline=self.sale.terms.release_on_decline)
        return max(0, tries - count_declined(self.payments))


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """A receipt or credit note, and where it is."""

    path: str
    text: str


def receipt_rows(receipts: Sequence[Receipt], path: str, speak: Translator) -> list[ReceiptRow]:
    """Name the receipts of an order whose page is at ``path``."""
    titles = {"receipt": speak.gettext("Receipt"), "credit_note": speak.gettext("Credit note")}
    return [
        ReceiptRow(f"{path}/receipts/{one.receipt_id}/receipt.pdf", f"{titles[one.kind]} {one.label}")
        for one in receipts
    ]


@dataclass(frozen=True, slots=True)
class Refresh:
    """When a page that waits looks again."""

    seconds: int
    query: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The last payment was declined, and another may be tried."""

    tries_left: int
    text: str


@dataclass(frozen=True, slots=True)
class Onward:
    """The provider's page on which an open payment goes on. ``now``: the buyer is sent there at once."""

    url: str
    until: datetime
    now: bool


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line of the order: tickets, or a sum that belongs to all of them."""

    is_ticket: bool
    quantity: int
    description: str
    places: tuple[str, ...]
    each_text: str
    total_text: str


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A ticket."""

    ticket_id: UUID
    kind: str
    place: tuple[tuple[str, str], ...]
    number: str
    reference: str
    code: str


@dataclass(frozen=True, slots=True)
class OrderCard:
    """The order as its page names it."""

    path: str
    reference: str
    event_id: UUID
    event_name: str
    session_id: UUID
    session_name: str
    location: str
    starts_at: datetime
    time_zone: str
    lines: tuple[LineRow, ...]
    total_text: str
    contained_text: str
    """Which taxes stand in the total without a line of their own."""
    name: str
    email: str


def state_of(facts: OrderFacts) -> str:
    """Say which page an order has at this moment."""
    order = facts.sale.order
    if order.status is OrderStatus.PENDING:
        return _pending_state(facts)
    if order.status is OrderStatus.PAID:
        if facts.sale.valid:
            return "paid"
        return "refunded" if facts.sale.tickets else "issuing"
    if order.status is OrderStatus.CANCELLED and facts.payments and not facts.tries_left:
        return "declined"
    return order.status.value


def _pending_state(facts: OrderFacts) -> str:
    if open_payment(facts.payments) is not None:
        return "paying"
    if not facts.tries_left:
        return "declined"
    held = facts.reservation
    if held is None or held.status is not ReservationStatus.HELD or held.expires_at <= facts.now:
        return "expired"
    return "pending"


def heading_of(state: str, speak: Translator) -> str:
    """Return the title of the page of an order."""
    headings: Mapping[str, str] = {
        "pending": speak.gettext("Pay for your tickets"),
        "paying": speak.gettext("Waiting for your payment"),
        "declined": speak.gettext("This order was not paid"),
        "issuing": speak.gettext("Thank you!"),
        "paid": speak.gettext("Your tickets are ready"),
        "cancelled": speak.gettext("This order is cancelled"),
        "expired": speak.gettext("The time to pay has run out"),
        "paid_unseated": speak.gettext("You get your money back"),
        "refunded": speak.gettext("This order was refunded"),
    }
    return headings[state]


def refresh_of(state: str, looked: int) -> Refresh | None:
    """Say when the page looks again, by how often it has; None where there is nothing to wait for, or no more."""
    if state not in {"paying", "issuing"} or looked >= LOOKS_MAX:
        return None
    return Refresh(SECONDS_FIRST if looked < FIRST_LOOKS else SECONDS_LATER, f"looked={looked + 1}")


def declined_of(facts: OrderFacts, speak: Translator) -> Declined | None:
    """Say that the last try was declined, and what the buyer can do."""
    last = last_decline(facts.payments)
    return Declined(facts.tries_left, explain_decline(last.reason, speak)) if last else None


def onward_of(facts: OrderFacts, *, now: bool) -> Onward | None:
    """Say where the payment goes on, if it does so on a page of the provider."""
    running = open_payment(facts.payments)
    step = (running.next_step if running else None) or {}
    url = str(step.get("url", ""))
    if running is None or step.get("type") != "redirect" or not url.startswith("https://"):
        return None
    return Onward(url, running.deadline_at, now)


def time_left(facts: OrderFacts, speak: Translator) -> tuple[str, str]:
    """Return until when the places are held, in the session's time zone, and how long that is from now."""
    if facts.reservation is None:
        return "", ""
    expires_at, zone = facts.reservation.expires_at, facts.sale.terms.time_zone
    minutes = max(1, round((expires_at - facts.now).total_seconds() / 60))
    until = f"{speak.time(expires_at, zone)} ({speak.time_zone(expires_at, zone)})"
    return until, speak.ngettext("That leaves you %(num)s minute.", "That leaves you %(num)s minutes.", minutes)


def refund_text(refunds: Sequence[Refund], currency: str, speak: Translator) -> str:
    """Say how the money goes back."""
    sums = {
        status: speak.money(total, currency)
        for status in RefundStatus
        if (total := sum(refund.amount_minor for refund in refunds if refund.status is status))
    }
    parts: list[str] = []
    if amount := sums.get(RefundStatus.SUCCEEDED):
        parts.append(speak.gettext("%(amount)s has been paid back to you.", amount=amount))
    if amount := sums.get(RefundStatus.REQUESTED):
        parts.append(speak.gettext("%(amount)s is on its way back to you.", amount=amount))
    if amount := sums.get(RefundStatus.FAILED):
        parts.append(
            speak.gettext("%(amount)s could not be paid back yet. The organizer will take care of it.", amount=amount)
        )
    if amount := sums.get(RefundStatus.FORFEITED):
        parts.append(speak.gettext("%(amount)s could not be paid back, and is no longer owed.", amount=amount))
    return " ".join(parts)


def order_card(facts: OrderFacts, path: str, speak: Translator) -> OrderCard:
    """Describe the order."""
    sale = facts.sale
    order, terms, contact = sale.order, sale.terms, sale.contact
    return OrderCard(
        path=path,
        reference=reference_of(order.order_id),
        event_id=order.event_id,
        event_name=terms.event_name,
        session_id=order.session_id,
        session_name=terms.session_name,
        location=terms.location,
        starts_at=terms.starts_at,
        time_zone=terms.time_zone,
        lines=tuple(_line(line, sale, speak) for line in facts.lines),
        total_text=speak.money(order.total_minor, order.currency),
        contained_text=charges_text(
            speak, [one for one in breakdown_of(quotes_of(facts.lines)) if one.contained], order.currency
        ),
        name=contact.name if contact else "",
        email=contact.email if contact else "",
    )


def ticket_rows(sale: Sale, server_key: bytes, speak: Translator) -> list[TicketRow]:
    """Describe the valid tickets with their codes."""
    valid = sale.valid
    return [
        TicketRow(
            ticket_id=ticket.ticket_id,
            kind=ticket_type_of(sale, unit),
            place=_place_of(sale, unit, speak),
            number=speak.gettext("Ticket %(number)s of %(count)s", number=position, count=len(valid)),
            reference=reference_of(ticket.ticket_id),
            code=code_of(server_key, ticket),
        )
        for position, (ticket, unit) in enumerate(valid, start=1)
    ]


def _place_of(sale: Sale, unit: Unit, speak: Translator) -> tuple[tuple[str, str], ...]:
    """Say where a ticket leads: section (unless the seat's label names it) and seat, area, or price category."""
    section, area = section_of(sale, unit), area_of(sale, unit)
    seat = unit.seat.label if unit.seat else ""
    pairs = (
        (speak.gettext("Section"), "" if seat.startswith(section) else section),
        (speak.gettext("Seat"), seat),
        (speak.gettext("Area"), area),
    )
    found = tuple(pair for pair in pairs if pair[1])
    if not found and len(sale.terms.price_categories) > 1:
        return ((speak.gettext("Category"), sale.terms.category(unit.price_category_id).name),)
    return found


def _line(line: OrderLine, sale: Sale, speak: Translator) -> LineRow:
    return LineRow(
        is_ticket=line.kind == "ticket",
        quantity=line.quantity,
        description=line.description,
        places=_places(line, sale),
        each_text=speak.money(line.price_minor, sale.order.currency),
        total_text=speak.money(line.total_minor, sale.order.currency),
    )


def _places(line: OrderLine, sale: Sale) -> tuple[str, ...]:
    """Name where a line's places are: seats by their labels, or the area."""
    area = sale.seat_map.area_by_key.get(line.area) if sale.seat_map and line.area else None
    return (area.name,) if area else tuple(seat.label for seat in line.seats)
