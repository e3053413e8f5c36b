"""Working out what tickets come to: discount, then fees, then taxes. Pure, in whole minor units.

Nothing is lost: whatever is divided among lines or tickets is divided by largest remainder, so that the parts sum to
the whole.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction

from fullhouse.pricing.parts import FeePart, LineQuote, Places, TaxPart, even_share
from fullhouse.pricing.rules import WHOLE, Charges, Discount, Fee, FeePer, Half, Payer, RoundBy, TaxOn


def quote(charges: Charges | None, places: Sequence[Places], discount: Discount | None = None) -> tuple[LineQuote, ...]:
    """Quote lines of an order, in their order. Sums do not depend on it."""
    prices = [line.price_minor * line.quantity for line in places]
    discounts = _discounts(places, discount, charges.half if charges else Half.EVEN)
    names = [discount.name if discount and off else "" for off in discounts]
    if charges is None:
        return tuple(
            LineQuote(price, off, discount_name=name) for price, off, name in zip(prices, discounts, names, strict=True)
        )
    reduced = [price - off for price, off in zip(prices, discounts, strict=True)]
    fees = [_fee_parts(fee, places, reduced, charges.half) for fee in charges.fees]
    paid_fees = [
        sum(parts[number] for fee, parts in zip(charges.fees, fees, strict=True) if fee.payer is Payer.BUYER)
        for number in range(len(places))
    ]
    taxes = _tax_parts(charges, [line.quantity for line in places], reduced, paid_fees)
    return tuple(
        LineQuote(
            price_minor=prices[number],
            discount_minor=discounts[number],
            fees=tuple(
                FeePart(fee.name, fee.payer, parts[number])
                for fee, parts in zip(charges.fees, fees, strict=True)
                if parts[number]
            ),
            taxes=tuple(
                parts[number] for parts in taxes if _is_of_something(parts[number], reduced[number], paid_fees[number])
            ),
            taxes_included=charges.taxes_included,
            discount_name=names[number],
        )
        for number in range(len(places))
    )


def waive(places: Sequence[Places], reason: str) -> tuple[LineQuote, ...]:
    """Quote lines that are given away for a reason: the whole price off, and nothing charged."""
    prices = [line.price_minor * line.quantity for line in places]
    return tuple(LineQuote(price, price, discount_name=reason if price else "") for price in prices)


def spread(amount: int, weights: Sequence[Fraction | int]) -> list[int]:
    """Divide an amount by weights that are not all zero: the parts sum to it, and a larger weight gets no less.

    Each part is the exact share, rounded down, and one more for the largest remainders.
    """
    whole = sum(weights)
    exact = [Fraction(amount) * weight / whole for weight in weights]
    parts = [share.numerator // share.denominator for share in exact]
    by_remainder = sorted(
        range(len(weights)), key=lambda number: (exact[number] - parts[number], weights[number]), reverse=True
    )
    for number in by_remainder[: amount - sum(parts)]:
        parts[number] += 1
    return parts


def rounded(exact: Fraction, half: Half) -> int:
    """Round an amount that is not negative to the nearest whole one; exactly half as declared."""
    if half is Half.EVEN:
        return round(exact)
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def _discounts(places: Sequence[Places], discount: Discount | None, half: Half) -> list[int]:
    if discount is None:
        return [0] * len(places)
    covered = [line.price_minor * line.quantity if discount.covers(line.ticket_type_id) else 0 for line in places]
    if discount.amount_minor and discount.per is FeePer.ORDER:
        off = min(discount.amount_minor, sum(covered))
        return spread(off, covered) if off else [0] * len(places)
    return [
        line.quantity * min(line.price_minor, _off_each(discount, line.price_minor, half)) if amount else 0
        for line, amount in zip(places, covered, strict=True)
    ]


def _off_each(discount: Discount, price_minor: int, half: Half) -> int:
    return discount.amount_minor + rounded(Fraction(price_minor * discount.rate, WHOLE), half)


def _fee_parts(fee: Fee, places: Sequence[Places], reduced: Sequence[int], half: Half) -> list[int]:
    """Return what a fee comes to in each line."""
    if fee.per is FeePer.TICKET:
        return [
            _sum_of_each(line.quantity, amount, lambda each: _fee_of(fee, each, half))
            for line, amount in zip(places, reduced, strict=True)
        ]
    whole = _fee_of(fee, sum(reduced), half)
    return spread(whole, reduced) if whole else [0] * len(places)


def _fee_of(fee: Fee, amount: int, half: Half) -> int:
    return fee.amount_minor + rounded(Fraction(amount * fee.rate, WHOLE), half) if amount else 0


def _sum_of_each(quantity: int, amount: int, of_one: Callable[[int], int]) -> int:
    """Apply a function to each ticket's even share of a line; the shares have at most two values."""
    each, rest = divmod(amount, quantity)
    return rest * of_one(each + 1) + (quantity - rest) * of_one(each)


def _tax_parts(
    charges: Charges, quantities: Sequence[int], reduced: Sequence[int], fees: Sequence[int]
) -> list[list[TaxPart]]:
    """Return what each tax comes to in each line."""
    of_tickets = WHOLE + sum(tax.rate for tax in charges.taxes if tax.on is not TaxOn.FEES)
    of_fees = WHOLE + sum(tax.rate for tax in charges.taxes if tax.on is not TaxOn.TICKETS)
    found: list[list[TaxPart]] = []
    for tax in charges.taxes:
        by_ticket = Fraction(tax.rate, of_tickets if charges.taxes_included else WHOLE)
        by_fee = Fraction(tax.rate, of_fees if charges.taxes_included else WHOLE)
        rates = (
            by_ticket if tax.on is not TaxOn.FEES else Fraction(0),
            by_fee if tax.on is not TaxOn.TICKETS else Fraction(0),
        )
        amounts = _rounded_lines(charges, quantities, list(zip(reduced, fees, strict=True)), rates)
        found.append(
            [
                TaxPart(tax.name, tax.rate, amount, _of_fees(amount, (line * rates[0], fee * rates[1])), tax.on)
                for amount, line, fee in zip(amounts, reduced, fees, strict=True)
            ]
        )
    return found


def _is_of_something(tax: TaxPart, reduced: int, fee: int) -> bool:
    """Say whether there is anything that the tax is of, though it may be too little to be taxed."""
    return bool((tax.on is not TaxOn.FEES and reduced) or (tax.on is not TaxOn.TICKETS and fee))


def _of_fees(amount: int, exact: tuple[Fraction, Fraction]) -> int:
    return spread(amount, exact)[1] if amount else 0


def _rounded_lines(
    charges: Charges,
    quantities: Sequence[int],
    bases: Sequence[tuple[int, int]],
    rates: tuple[Fraction, Fraction],
) -> list[int]:
    """Round one tax as declared, and return each line's share of it."""

    def exact(base: tuple[int, int]) -> Fraction:
        return base[0] * rates[0] + base[1] * rates[1]

    if charges.round_by is RoundBy.LINE:
        return [rounded(exact(base), charges.half) for base in bases]
    if charges.round_by is RoundBy.ORDER:
        shares = [exact(base) for base in bases]
        whole = rounded(sum(shares, Fraction(0)), charges.half)
        return spread(whole, shares) if whole else [0] * len(bases)
    return [
        sum(
            count * rounded(exact(each), charges.half)
            for each, count in Counter(
                (even_share(base[0], number, quantity), even_share(base[1], number, quantity))
                for number in range(1, quantity + 1)
            ).items()
        )
        for base, quantity in zip(bases, quantities, strict=True)
    ]
