"""How much of a credit note is which tax: its share of the receipt's rates, so that all notes sum to it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fullhouse.orders.rules import OrderLine
from fullhouse.pricing.quote import spread
from fullhouse.pricing.tax_rows import TaxRow, tax_rows


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Money that goes back of an order: how much, how much of it is taxes, and for which units of which lines."""

    amount_minor: int
    tax_minor: int
    units: Mapping[int, int]
    """How many of each line by number; none: money for no ticket of its own."""


@dataclass(frozen=True, slots=True)
class _Share:
    """What a refund is for, exactly: money, and of each rate the net amount and the tax."""

    amount: Fraction
    rates: Mapping[tuple[str, int], tuple[Fraction, Fraction]]


def taxes_given_back(
    lines: Sequence[OrderLine], left: Sequence[TaxRow], left_minor: int, given: GivenBack
) -> tuple[TaxRow, ...]:
    """Divide a refund's taxes among the rates of its order: as its units have them, else as they are ``left``.

    ``left`` and ``left_minor`` are what the receipt had, less what earlier notes gave back. The last note of an order
    that is given back whole takes exactly what is left.
    """
    if given.amount_minor >= left_minor:
        return tuple(left)
    share = _of_units(lines, given.units) if given.units else _of_all(left, left_minor)
    exact = [share.rates.get((row.name, row.rate), (Fraction(0), Fraction(0))) for row in left]
    taxes = _spread_within(given.tax_minor, [tax for _, tax in exact], [row.tax_minor for row in left])
    part = Fraction(given.amount_minor) / share.amount if share.amount else Fraction(0)
    return tuple(
        TaxRow(row.name, row.rate, min(row.net_minor, round(net * part)), tax)
        for row, (net, _), tax in zip(left, exact, taxes, strict=True)
        if tax or net
    )


def taxes_left(all_of: Sequence[TaxRow], notes: Sequence[Sequence[TaxRow]]) -> tuple[TaxRow, ...]:
    """Return what is left of a receipt's taxes after some credit notes."""
    left = {(row.name, row.rate): row for row in all_of}
    for note in notes:
        for row in note:
            before = left[row.name, row.rate]
            rest = TaxRow(row.name, row.rate, before.net_minor - row.net_minor, before.tax_minor - row.tax_minor)
            left[row.name, row.rate] = rest
    return tuple(left.values())


def _of_all(left: Sequence[TaxRow], left_minor: int) -> _Share:
    rates = {(row.name, row.rate): (Fraction(row.net_minor), Fraction(row.tax_minor)) for row in left}
    return _Share(Fraction(left_minor), rates)


def _of_units(lines: Sequence[OrderLine], units: Mapping[int, int]) -> _Share:
    amount, rates = Fraction(0), dict[tuple[str, int], tuple[Fraction, Fraction]]()
    for line in lines:
        part = Fraction(units.get(line.line_number, 0), line.quantity)
        amount += part * (line.quote.total_minor if line.quote else line.total_minor)
        for row in tax_rows([line.quote]) if line.quote else ():
            net, tax = rates.get((row.name, row.rate), (Fraction(0), Fraction(0)))
            rates[row.name, row.rate] = (net + part * row.net_minor, tax + part * row.tax_minor)
    return _Share(amount, rates)


def _spread_within(amount: int, weights: Sequence[Fraction], limits: Sequence[int]) -> list[int]:
    """Divide an amount by weights, none more than its limit; what does not fit goes where there is room."""
    amount = max(0, min(amount, sum(limits)))
    if not amount:
        return [0] * len(limits)
    parts = spread(amount, weights if any(weights) else limits)
    parts = [min(part, limit) for part, limit in zip(parts, limits, strict=True)]
    for number, limit in enumerate(limits):
        parts[number] += min(limit - parts[number], amount - sum(parts))
    return parts
