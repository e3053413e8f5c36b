"""What tickets come to: worked examples to the cent, and what holds for every declaration."""

from dataclasses import replace
from fractions import Fraction
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullhouse.pricing.parts import (
    ChargeKind,
    FeePart,
    LineQuote,
    NamedCharge,
    Parts,
    Places,
    TaxPart,
    breakdown_of,
    line_quote_from_json,
)
from fullhouse.pricing.quote import quote, rounded, spread, waive
from fullhouse.pricing.rules import (
    Charges,
    Discount,
    Fee,
    FeePer,
    Half,
    Payer,
    RoundBy,
    Tax,
    TaxOn,
    charges_from_json,
    percent_text,
)
from fullhouse.pricing.tax_rows import TaxRow, tax_rows

ADULT, CHILD = UUID(int=1), UUID(int=2)
ONE = UUID(int=9)


def declared(
    *fees: Fee, taxes: tuple[Tax, ...] = (), taxes_included: bool = True, round_by: RoundBy = RoundBy.LINE
) -> Charges:
    return Charges(ONE, "EUR", fees, taxes, taxes_included, round_by)


def total(quotes: tuple[LineQuote, ...]) -> int:
    return sum(line.total_minor for line in quotes)


def test_without_a_declaration_a_line_costs_its_prices() -> None:
    assert quote(None, [Places(ADULT, 1250, 3)]) == (LineQuote(3750),)


def test_fees_of_each_kind_and_who_pays_them() -> None:
    charges = declared(
        Fee("Service", FeePer.TICKET, Payer.BUYER, amount_minor=50, rate=25_000),
        Fee("Order", FeePer.ORDER, Payer.BUYER, amount_minor=199),
        Fee("Platform", FeePer.TICKET, Payer.ORGANIZER, rate=40_000),
    )
    adults, child = quote(charges, [Places(ADULT, 3000, 2), Places(CHILD, 1500, 1)])
    assert adults.fees == (
        FeePart("Service", Payer.BUYER, 2 * (50 + 75)),
        FeePart("Order", Payer.BUYER, 159),
        FeePart("Platform", Payer.ORGANIZER, 240),
    )
    assert child.fees == (
        # Exactly half a cent of the share, 37.5, goes to the even neighbour.
        FeePart("Service", Payer.BUYER, 50 + 38),
        FeePart("Order", Payer.BUYER, 40),
        FeePart("Platform", Payer.ORGANIZER, 60),
    )
    assert total((adults, child)) == 7500 + 250 + 88 + 199


def test_what_is_free_carries_no_fee() -> None:
    charges = declared(
        Fee("Service", FeePer.TICKET, Payer.BUYER, amount_minor=50),
        Fee("Order", FeePer.ORDER, Payer.BUYER, amount_minor=199),
    )
    assert quote(charges, [Places(ADULT, 0, 2)]) == (LineQuote(0),)


def test_included_taxes_are_found_in_the_price_and_change_nothing() -> None:
    charges = declared(
        Fee("Service", FeePer.TICKET, Payer.BUYER, amount_minor=120),
        taxes=(Tax("VAT 5.5", 55_000, TaxOn.TICKETS), Tax("VAT 20", 200_000, TaxOn.FEES)),
    )
    (line,) = quote(charges, [Places(ADULT, 2110, 1)])
    assert line.taxes == (
        TaxPart("VAT 5.5", 55_000, 110, 0, TaxOn.TICKETS),
        TaxPart("VAT 20", 200_000, 20, 20, TaxOn.FEES),
    )
    assert line.total_minor == 2110 + 120


@pytest.mark.parametrize(
    ("round_by", "expected"), [(RoundBy.TICKET, 3 * 73), (RoundBy.LINE, 218), (RoundBy.ORDER, 218)]
)
def test_added_tax_is_rounded_of_what_is_declared(round_by: RoundBy, expected: int) -> None:
    # 7.25 percent of 10.01 is 0.725725.
    charges = declared(taxes=(Tax("Sales tax", 72_500),), taxes_included=False, round_by=round_by)
    (line,) = quote(charges, [Places(ADULT, 1001, 3)])
    assert (line.parts.tax_minor, line.total_minor) == (expected, 3003 + expected)


def test_by_order_two_lines_share_what_one_rounding_gave() -> None:
    charges = declared(taxes=(Tax("Tax", 50_000),), taxes_included=False, round_by=RoundBy.ORDER)
    by_line = declared(taxes=(Tax("Tax", 50_000),), taxes_included=False, round_by=RoundBy.LINE)
    lines = [Places(ADULT, 10, 1), Places(CHILD, 10, 1), Places(CHILD, 10, 1)]
    assert [line.parts.tax_minor for line in quote(charges, lines)] == [1, 1, 0]
    assert [line.parts.tax_minor for line in quote(by_line, lines)] == [0, 0, 0]


@pytest.mark.parametrize(("half", "expected"), [(Half.EVEN, [0, 2, 2, 4]), (Half.UP, [1, 2, 3, 4])])
def test_exactly_half_goes_where_it_is_declared(half: Half, expected: list[int]) -> None:
    assert [rounded(Fraction(number, 2), half) for number in (1, 3, 5, 7)] == expected


def test_discounts_of_each_kind() -> None:
    lines = [Places(ADULT, 3000, 2), Places(CHILD, 1500, 1)]
    share = Discount("TEN", rate=100_000)
    each = Discount("FIVE", amount_minor=2000)
    whole = Discount("ORDER", amount_minor=1000, per=FeePer.ORDER)
    adults = Discount("ADULTS", rate=500_000, ticket_type_ids=frozenset({ADULT}))
    assert [line.discount_minor for line in quote(None, lines, share)] == [600, 150]
    assert [line.discount_minor for line in quote(None, lines, each)] == [4000, 1500], "never more than the price"
    assert [line.discount_minor for line in quote(None, lines, whole)] == [800, 200]
    assert [line.discount_minor for line in quote(None, lines, adults)] == [3000, 0]


def test_fees_and_taxes_follow_the_discounted_price() -> None:
    charges = declared(
        Fee("Service", FeePer.TICKET, Payer.BUYER, rate=100_000), taxes=(Tax("Tax", 100_000),), taxes_included=False
    )
    (line,) = quote(charges, [Places(ADULT, 2000, 1)], Discount("HALF", rate=500_000))
    assert line.parts == Parts(2000, 1000, 100, 0, 110, 10, 110)
    assert line.total_minor == 1210


def test_what_is_given_away_costs_nothing() -> None:
    (line,) = waive([Places(ADULT, 2000, 2)], "Press")
    assert (line.total_minor, line.discount_minor, line.discount_name) == (0, 4000, "Press")


def test_taxes_are_listed_by_rate_with_what_they_are_of() -> None:
    charges = declared(
        Fee("Service", FeePer.TICKET, Payer.BUYER, amount_minor=120),
        Fee("Platform", FeePer.TICKET, Payer.ORGANIZER, amount_minor=30),
        taxes=(Tax("VAT", 55_000, TaxOn.TICKETS), Tax("VAT", 200_000, TaxOn.FEES), Tax("City", 0, TaxOn.ALL)),
    )
    contained = quote(charges, [Places(ADULT, 2110, 2), Places(CHILD, 0, 1)])
    assert tax_rows(contained) == (
        TaxRow("VAT", 55_000, 4000, 220),
        TaxRow("VAT", 200_000, 200, 40),
        TaxRow("City", 0, 4200, 0),
    )
    assert sum(line.total_minor for line in contained) == 4000 + 220 + 200 + 40
    added = quote(replace(charges, taxes_included=False), [Places(ADULT, 2000, 1)], Discount("X", rate=500_000))
    assert tax_rows(added)[:2] == (TaxRow("VAT", 55_000, 1000, 55), TaxRow("VAT", 200_000, 120, 24))
    assert [one.name for one in breakdown_of(added) if one.kind is ChargeKind.TAX] == ["VAT", "VAT"], "none of nothing"


def test_a_breakdown_names_what_the_buyer_pays_and_not_what_the_organizer_does() -> None:
    charges = declared(
        Fee("Service", FeePer.TICKET, Payer.BUYER, amount_minor=50),
        Fee("Platform", FeePer.TICKET, Payer.ORGANIZER, amount_minor=30),
        taxes=(Tax("VAT", 200_000),),
    )
    quotes = quote(charges, [Places(ADULT, 1200, 1), Places(CHILD, 600, 1)], Discount("X", amount_minor=100))
    assert breakdown_of(quotes) == (
        NamedCharge(ChargeKind.DISCOUNT, "X", 0, -200, contained=False),
        NamedCharge(ChargeKind.FEE, "Service", 0, 100, contained=False),
        NamedCharge(ChargeKind.TAX, "VAT", 200_000, 192 + 92, contained=True),
    )


@pytest.mark.parametrize(("rate", "text"), [(200_000, "20"), (88_750, "8.875"), (1, "0.0001"), (55_000, "5.5")])
def test_rates_are_written_as_people_do(rate: int, text: str) -> None:
    assert percent_text(rate) == text


PRICES = st.integers(0, 100_000)
LINES = st.lists(st.builds(Places, st.sampled_from([ADULT, CHILD]), PRICES, st.integers(1, 12)), min_size=1, max_size=5)
RATES = st.integers(0, 1_000_000)
FEES = st.lists(
    st.builds(
        Fee,
        st.sampled_from(["A", "B", "C"]),
        st.sampled_from(FeePer),
        st.sampled_from(Payer),
        st.integers(0, 2000),
        st.integers(0, 300_000),
    ),
    max_size=3,
).map(tuple)
TAXES = st.lists(
    st.builds(Tax, st.sampled_from(["V", "W"]), st.integers(1, 300_000), st.sampled_from(TaxOn)), max_size=3
).map(tuple)
CHARGES = st.builds(
    Charges,
    st.just(ONE),
    st.just("EUR"),
    FEES,
    TAXES,
    st.booleans(),
    st.sampled_from(RoundBy),
    st.sampled_from(Half),
)
DISCOUNTS = st.none() | st.builds(
    Discount,
    st.just("CODE"),
    RATES,
    st.integers(0, 5000),
    st.sampled_from(FeePer),
    st.sampled_from([frozenset[UUID](), frozenset({ADULT})]),
)


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1).filter(any))
def test_a_spread_loses_nothing(amount: int, weights: list[int]) -> None:
    parts = spread(amount, weights)
    whole = sum(weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(amount * weight, whole)) < 1
        assert weight or not part


@given(CHARGES, LINES, DISCOUNTS)
def test_parts_sum_to_the_whole(charges: Charges, lines: list[Places], discount: Discount | None) -> None:
    for line, places in zip(quote(charges, lines, discount), lines, strict=True):
        parts = line.parts
        shares = [parts.share(number, places.quantity) for number in range(1, places.quantity + 1)]
        summed = Parts()
        for share in shares:
            summed = summed.plus(share)
        assert summed == parts
        assert sum(share.total_minor for share in shares) == line.total_minor
        assert {share.price_minor for share in shares} == {places.price_minor}


@given(CHARGES, LINES, DISCOUNTS)
def test_nothing_is_negative(charges: Charges, lines: list[Places], discount: Discount | None) -> None:
    for line, places in zip(quote(charges, lines, discount), lines, strict=True):
        assert min(line.parts) >= 0
        assert line.discount_minor <= line.price_minor == places.price_minor * places.quantity
        assert line.parts.tax_of_fees_minor <= line.parts.tax_minor
        for number in range(1, places.quantity + 1):
            assert line.parts.share(number, places.quantity).total_minor >= 0


@given(CHARGES, LINES, DISCOUNTS, st.randoms(use_true_random=False))
def test_the_order_of_the_lines_changes_no_sum(
    charges: Charges, lines: list[Places], discount: Discount | None, random: Random
) -> None:
    other = list(lines)
    random.shuffle(other)
    one, two = quote(charges, lines, discount), quote(charges, other, discount)
    assert total(one) == total(two)
    assert sorted(breakdown_of(one)) == sorted(breakdown_of(two))


@given(CHARGES, LINES, DISCOUNTS)
def test_an_absorbed_fee_changes_nothing_for_the_buyer(
    charges: Charges, lines: list[Places], discount: Discount | None
) -> None:
    paid = tuple(fee for fee in charges.fees if fee.payer is Payer.BUYER)
    without = Charges(ONE, "EUR", paid, charges.taxes, charges.taxes_included, charges.round_by, charges.half)
    one, two = quote(charges, lines, discount), quote(without, lines, discount)
    assert [line.total_minor for line in one] == [line.total_minor for line in two]
    assert [line.taxes for line in one] == [line.taxes for line in two]


@given(CHARGES, LINES, DISCOUNTS)
def test_an_included_tax_changes_nothing_for_the_buyer(
    charges: Charges, lines: list[Places], discount: Discount | None
) -> None:
    included = Charges(ONE, "EUR", charges.fees, charges.taxes, True, charges.round_by, charges.half)
    without = Charges(ONE, "EUR", charges.fees, (), True, charges.round_by, charges.half)
    one, two = quote(included, lines, discount), quote(without, lines, discount)
    assert [line.total_minor for line in one] == [line.total_minor for line in two]


@given(CHARGES, LINES, DISCOUNTS)
def test_a_tax_is_within_half_a_unit_of_exact_for_each_time_it_is_rounded(
    charges: Charges, lines: list[Places], discount: Discount | None
) -> None:
    quotes = quote(charges, lines, discount)
    times = {
        RoundBy.ORDER: 1,
        RoundBy.LINE: len(lines),
        RoundBy.TICKET: sum(line.quantity for line in lines),
    }[charges.round_by]
    tickets = sum(line.price_minor - line.discount_minor for line in quotes)
    fees = sum(line.parts.fee_minor for line in quotes)
    exact = Fraction(0)
    for on, base in ((TaxOn.TICKETS, tickets), (TaxOn.FEES, fees)):
        rate = sum(tax.rate for tax in charges.taxes if tax.on in {on, TaxOn.ALL})
        exact += Fraction(base * rate, 1_000_000 + (rate if charges.taxes_included else 0))
    found = sum(line.parts.tax_minor for line in quotes)
    assert abs(found - exact) <= Fraction(times * len(charges.taxes), 2)


@given(CHARGES, LINES, DISCOUNTS)
def test_a_quote_is_kept_and_read_back(charges: Charges, lines: list[Places], discount: Discount | None) -> None:
    for line in quote(charges, lines, discount):
        assert line_quote_from_json(line.to_json()) == line


@given(CHARGES)
def test_a_declaration_is_kept_and_read_back(charges: Charges) -> None:
    assert charges_from_json(ONE, "EUR", charges.to_json()) == charges


def test_in_another_currency_fixed_amounts_do_not_count() -> None:
    fixed, share = Fee("A", FeePer.TICKET, Payer.BUYER, 100), Fee("B", FeePer.TICKET, Payer.BUYER, rate=100_000)
    charges = declared(fixed, share)
    assert charges.in_currency("EUR") is charges
    assert charges.in_currency("JPY").fees == (share,)
