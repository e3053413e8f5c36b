"""What a sum of money is made of: a ticket's, a line's, an order's. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from fullhouse.core.json import Json
from fullhouse.pricing.rules import Payer, TaxOn


class Places(NamedTuple):
    """Places to price: so many of a ticket type, at a price each."""

    ticket_type_id: UUID
    price_minor: int
    quantity: int


class FeePart(NamedTuple):
    """A fee's share of a line."""

    name: str
    payer: Payer
    amount_minor: int


class TaxPart(NamedTuple):
    """A tax's share of a line, and how much of that is for fees."""

    name: str
    rate: int
    amount_minor: int
    of_fees_minor: int
    on: TaxOn = TaxOn.ALL


class Parts(NamedTuple):
    """What a sum of money is made of: a unit's, a line's or an order's. The names of accounts follow it."""

    price_minor: int = 0
    discount_minor: int = 0
    fee_minor: int = 0
    """Fees that the buyer pays."""
    absorbed_minor: int = 0
    """Fees that the organizer pays out of the price."""
    tax_minor: int = 0
    tax_of_fees_minor: int = 0
    """How much of the tax is for fees."""
    tax_added_minor: int = 0
    """How much of the tax is added to prices and fees; the rest is contained in them."""

    @property
    def total_minor(self) -> int:
        """What the buyer pays."""
        return self.price_minor - self.discount_minor + self.fee_minor + self.tax_added_minor

    def plus(self, other: "Parts") -> "Parts":
        """Add up, part by part."""
        return Parts(*(one + two for one, two in zip(self, other, strict=True)))

    def share(self, number: int, count: int) -> "Parts":
        """Return the share of the ``number``-th of ``count`` equal pieces, from 1. All shares sum to the whole."""
        return Parts(*(even_share(part, number, count) for part in self))


@dataclass(frozen=True, slots=True)
class LineQuote:
    """What a line of tickets comes to, and why. Amounts are of all its places; those of zero are left out."""

    price_minor: int
    discount_minor: int = 0
    fees: tuple[FeePart, ...] = ()
    taxes: tuple[TaxPart, ...] = ()
    taxes_included: bool = True
    discount_name: str = ""

    @property
    def parts(self) -> Parts:
        """Sum up by kind."""
        tax = sum(one.amount_minor for one in self.taxes)
        return Parts(
            price_minor=self.price_minor,
            discount_minor=self.discount_minor,
            fee_minor=sum(one.amount_minor for one in self.fees if one.payer is Payer.BUYER),
            absorbed_minor=sum(one.amount_minor for one in self.fees if one.payer is Payer.ORGANIZER),
            tax_minor=tax,
            tax_of_fees_minor=sum(one.of_fees_minor for one in self.taxes),
            tax_added_minor=0 if self.taxes_included else tax,
        )

    @property
    def total_minor(self) -> int:
        """What the buyer pays."""
        return self.parts.total_minor

    def to_json(self) -> dict[str, Json]:
        """Return it as it is kept with a reservation and its order."""
        return {
            "price_minor": self.price_minor,
            "discount_minor": self.discount_minor,
            "fees": [[one.name, one.payer.value, one.amount_minor] for one in self.fees],
            "taxes": [[one.name, one.rate, one.amount_minor, one.of_fees_minor, one.on.value] for one in self.taxes],
            "taxes_included": self.taxes_included,
            "discount_name": self.discount_name,
        }


def line_quote_from_json(kept: Mapping[str, Any]) -> LineQuote:
    """Read a quote back."""
    return LineQuote(
        price_minor=kept["price_minor"],
        discount_minor=kept["discount_minor"],
        fees=tuple(FeePart(name, Payer(payer), amount) for name, payer, amount in kept["fees"]),
        taxes=tuple(
            TaxPart(*numbers, *map(TaxOn, on)) for numbers, on in ((one[:4], one[4:]) for one in kept["taxes"])
        ),
        taxes_included=kept["taxes_included"],
        discount_name=kept["discount_name"],
    )


def even_share(amount: int, number: int, count: int) -> int:
    """Return the share of the ``number``-th of ``count`` in an amount, from 1: the first ones get what is left over."""
    each, rest = divmod(amount, count)
    return each + (1 if number <= rest else 0)


class ChargeKind(StrEnum):
    """What a named amount beside the price is."""

    FEE = "fee"
    DISCOUNT = "discount"
    TAX = "tax"


class NamedCharge(NamedTuple):
    """One named amount of a breakdown. A contained one adds nothing to what is paid; a discount is negative."""

    kind: ChargeKind
    name: str
    rate: int
    amount_minor: int
    contained: bool


def breakdown_of(quotes: Sequence[LineQuote]) -> tuple[NamedCharge, ...]:
    """Name what buyers pay beside the prices, added up over lines: the discount, the fees, the taxes."""
    sums = _Sums()
    for quote in quotes:
        if quote.discount_minor:
            sums.add(ChargeKind.DISCOUNT, quote.discount_name, 0, -quote.discount_minor, contained=False)
    for quote in quotes:
        for fee in quote.fees:
            if fee.payer is Payer.BUYER:
                sums.add(ChargeKind.FEE, fee.name, 0, fee.amount_minor, contained=False)
    for quote in quotes:
        for tax in quote.taxes:
            sums.add(ChargeKind.TAX, tax.name, tax.rate, tax.amount_minor, contained=quote.taxes_included)
    return sums.all()


@dataclass(slots=True)
class _Sums:
    amounts: dict[tuple[ChargeKind, str, int, bool], int] = field(
        default_factory=dict[tuple[ChargeKind, str, int, bool], int]
    )

    def add(self, kind: ChargeKind, name: str, rate: int, amount_minor: int, *, contained: bool) -> None:
        key = (kind, name, rate, contained)
        self.amounts[key] = self.amounts.get(key, 0) + amount_minor

    def all(self) -> tuple[NamedCharge, ...]:
        return tuple(
            NamedCharge(kind, name, rate, amount, contained)
            for (kind, name, rate, contained), amount in self.amounts.items()
            if amount
        )
