"""Taxes by their rate, as a receipt lists them. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from fullhouse.pricing.parts import LineQuote
from fullhouse.pricing.rules import TaxOn


class TaxRow(NamedTuple):
    """A tax by its rate, as a receipt lists it: of how much, without any tax, and what it comes to."""

    name: str
    rate: int
    net_minor: int
    tax_minor: int


def tax_rows(quotes: Sequence[LineQuote]) -> tuple[TaxRow, ...]:
    """List the taxes of some lines by name and rate. Several on one amount are each of the same net amount."""
    rows: dict[tuple[str, int], TaxRow] = {}
    for quote in quotes:
        parts = quote.parts
        contained_of_fees = parts.tax_of_fees_minor if quote.taxes_included else 0
        contained = parts.tax_minor if quote.taxes_included else 0
        of_tickets = parts.price_minor - parts.discount_minor - (contained - contained_of_fees)
        of_fees = parts.fee_minor - contained_of_fees
        for tax in quote.taxes:
            net = (0 if tax.on is TaxOn.FEES else of_tickets) + (0 if tax.on is TaxOn.TICKETS else of_fees)
            known = rows.get((tax.name, tax.rate), TaxRow(tax.name, tax.rate, 0, 0))
            summed = TaxRow(tax.name, tax.rate, known.net_minor + net, known.tax_minor + tax.amount_minor)
            rows[tax.name, tax.rate] = summed
    return tuple(rows.values())
