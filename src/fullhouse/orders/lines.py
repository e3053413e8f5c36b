"""What an order is made of: its lines from what was held, and the units that it brings to life. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fullhouse.orders.rules import OrderLine, Unit
from fullhouse.pricing.parts import LineQuote, Parts, breakdown_of
from fullhouse.reservations.rules import HeldItem, HeldSeat


def lines_of(items: Sequence[HeldItem]) -> tuple[OrderLine, ...]:
    """Make an order's lines from what its reservation holds, in the same order, numbered from 1.

    Behind the lines of tickets stand those of the discount, of fees and of taxes that are added: together they sum
    to what is paid.
    """
    tickets = tuple(
        OrderLine(
            line_number=number,
            kind="ticket",
            ticket_type_id=item.ticket_type_id,
            price_category_id=item.price_category_id,
            description=_describe(item),
            area=item.area,
            seats=item.seats,
            quantity=item.quantity,
            price_minor=item.price_minor,
            quote=item.quote,
        )
        for number, item in enumerate(items, start=1)
    )
    return tickets + _charged(quotes_of(tickets), len(tickets) + 1)


def _charged(quotes: Sequence[LineQuote], first_number: int) -> tuple[OrderLine, ...]:
    charges = [one for one in breakdown_of(quotes) if not one.contained]
    return tuple(
        OrderLine(
            line_number=number,
            kind=one.kind.value,
            ticket_type_id=None,
            price_category_id=None,
            description=one.name,
            area=None,
            seats=(),
            quantity=1,
            price_minor=one.amount_minor,
        )
        for number, one in enumerate(charges, start=first_number)
    )


def quotes_of(lines: Sequence[OrderLine]) -> list[LineQuote]:
    """Collect the quotes of an order's lines."""
    return [line.quote for line in lines if line.quote]


def parts_of(lines: Sequence[OrderLine]) -> Parts:
    """Add up what an order's tickets came to, by kind."""
    whole = Parts()
    for line in lines:
        if line.kind == "ticket":
            whole = whole.plus(line.quote.parts if line.quote else Parts(price_minor=line.total_minor))
    return whole


def parts_of_units(units: Sequence[Unit]) -> Parts:
    """Add up what units came to, by kind."""
    whole = Parts()
    for unit in units:
        whole = whole.plus(unit.parts)
    return whole


def as_agreed(items: Sequence[HeldItem], lines: Sequence[OrderLine]) -> tuple[HeldItem, ...]:
    """Give items the quotes that the order's lines have: a code may have changed them after the hold."""
    agreed = {line.line_number: line.quote for line in lines if line.kind == "ticket"}
    return tuple(replace(item, quote=agreed.get(number)) for number, item in enumerate(items, start=1))


def _describe(item: HeldItem) -> str:
    if item.price_category in {"", item.ticket_type}:
        return item.ticket_type
    return f"{item.ticket_type}, {item.price_category}"


def total_of(lines: Sequence[OrderLine]) -> int:
    """Add up lines."""
    return sum(line.total_minor for line in lines)


@dataclass(frozen=True, slots=True)
class NewUnit:
    """A unit to be: the line that it is of, its number in that line, and what it is."""

    line_number: int
    number: int
    item: HeldItem
    seat: HeldSeat | None
    parts: Parts


def units_of(items: Sequence[HeldItem]) -> tuple[NewUnit, ...]:
    """Make one unit for each place that was held: each seat its own, each standing place a number."""
    return tuple(
        NewUnit(
            line_number,
            number,
            item,
            item.seats[number - 1] if item.seats else None,
            item.parts.share(number, item.quantity),
        )
        for line_number, item in enumerate(items, start=1)
        for number in range(1, item.quantity + 1)
    )
