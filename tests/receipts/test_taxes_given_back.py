"""Taxes by rate: credit notes have what the ledger gave back, and together what their receipt has, to the cent."""

from dataclasses import replace
from random import Random
from uuid import UUID

from harness.charges import ORDER_FEE, SERVICE, declare, new_code
from harness.sale import make_sale
from harness.sold import Sold, pay_for
from hypothesis import given
from hypothesis import strategies as st
from pricing.test_quote import CHARGES, DISCOUNTS, LINES

from fullhouse.aftersales.refund_order import refund_order
from fullhouse.aftersales.rules import RefundWish
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.lines import lines_of, total_of, units_of
from fullhouse.payments.ledger import Account, sold_accounts
from fullhouse.pricing.codes import CodeTerms
from fullhouse.pricing.parts import FeePart, LineQuote, Parts, Places, TaxPart
from fullhouse.pricing.quote import quote
from fullhouse.pricing.rules import Charges, Discount, FeePer, Payer, RoundBy, Tax, TaxOn
from fullhouse.pricing.tax_rows import TaxRow, tax_rows
from fullhouse.receipts.issue_receipt import issue_credit_note, issue_receipt
from fullhouse.receipts.rules import Receipt
from fullhouse.receipts.taxes_given_back import GivenBack, taxes_given_back, taxes_left
from fullhouse.reservations.rules import HeldItem, ItemRequest

ONE = UUID(int=1)


def held(places: Places) -> HeldItem:
    return HeldItem(places.ticket_type_id, "Adult", ONE, "", None, places.quantity, (), places.price_minor, ())


@given(CHARGES, LINES, DISCOUNTS, st.randoms(use_true_random=False))
def test_units_given_back_in_any_order_sum_to_the_receipt(
    charges: Charges, places: list[Places], discount: Discount | None, random: Random
) -> None:
    quotes = quote(charges, places, discount)
    items = [replace(held(one), quote=quoted) for one, quoted in zip(places, quotes, strict=True)]
    lines, units = lines_of(items), list(units_of(items))
    all_of, left_minor = tax_rows(quotes), total_of(lines)
    whole = Parts()
    for one in quotes:
        whole = whole.plus(one.parts)
    assert (left_minor, sum(row.tax_minor for row in all_of)) == (whole.total_minor, whole.tax_minor)
    random.shuffle(units)
    notes: list[tuple[TaxRow, ...]] = []
    accounts = dict.fromkeys(sold_accounts(whole), 0)
    for unit in units:
        accounts = {account: accounts[account] + amount for account, amount in sold_accounts(unit.parts).items()}
        paid = unit.parts.total_minor
        if paid:
            back = GivenBack(paid, unit.parts.tax_minor, {unit.line_number: 1})
            note = taxes_given_back(lines, taxes_left(all_of, notes), left_minor, back)
            assert sum(row.tax_minor for row in note) == unit.parts.tax_minor
            assert all(row.tax_minor >= 0 and row.net_minor >= 0 for row in note)
            notes.append(note)
            left_minor -= paid
    assert left_minor == 0
    assert all(row[2:] == (0, 0) for row in taxes_left(all_of, notes))
    assert accounts == sold_accounts(whole), "the ledger is back where it was"


TICKETS, FEES = Tax("VAT", 55_000, TaxOn.TICKETS), Tax("VAT", 200_000, TaxOn.FEES)


async def test_a_discounted_order_is_given_back_by_line_by_amount_and_whole(pool: Pool) -> None:
    sale = await make_sale(pool)
    await declare(pool, sale.made.organization_id, SERVICE, ORDER_FEE, taxes=(TICKETS, FEES), round_by=RoundBy.ORDER)
    off = CodeTerms("TEN", amount_minor=1000, per=FeePer.ORDER, currency="EUR")
    await new_code(pool, sale.made.organization_id, off)
    wish = (ItemRequest(sale.made.types["adult"], quantity=3),)
    placed = await sale.office.place_reservation(sale.made.session_id, wish, code="TEN")
    sold = await pay_for(sale, placed, "en")
    receipt = await issued(sold)
    # 75.00 - 10.00; a fee of 1.00 and 2 percent of each, and one of 0.99.
    assert receipt.amount_minor == 6500 + 3 * 143 + 99
    assert receipt.taxes == (TaxRow("VAT", 55_000, 6161, 339), TaxRow("VAT", 200_000, 440, 88))
    first, *_ = await sold.units()
    await refund(sold, RefundWish(lines={1: 1}))
    await refund(sold, RefundWish(amount_minor=100))
    await refund(sold, RefundWish())
    await sale.work()
    notes = await issued_notes(sold)
    assert [note.amount_minor for note in notes] == [
        first.paid_minor,
        100,
        receipt.amount_minor - first.paid_minor - 100,
    ]
    assert [sum(tax.tax_minor for tax in note.taxes) for note in notes] == await taxes_in_ledger(sold)
    assert {row[2:] for row in taxes_left(receipt.taxes, [note.taxes for note in notes])} == {(0, 0)}
    assert await sale.balances() == {}


async def refund(sold: Sold, wish: RefundWish) -> None:
    async with transaction(sold.pool, sold.organization_id) as conn:
        await refund_order(conn, system.make_id, sold.organization_id, sold.order_id, wish)


async def issued(sold: Sold) -> Receipt:
    async with transaction(sold.pool, sold.organization_id) as conn:
        receipt = await issue_receipt(conn, system.make_id, sold.organization_id, sold.order_id)
    assert receipt is not None
    return receipt


async def issued_notes(sold: Sold) -> list[Receipt]:
    notes: list[Receipt] = []
    for one in sorted(await sold.sale.refunds(sold.order_id), key=lambda one: one.refund_id):
        async with transaction(sold.pool, sold.organization_id) as conn:
            note = await issue_credit_note(conn, system.make_id, sold.organization_id, one.refund_id)
        assert note is not None
        notes.append(note)
    return notes


async def taxes_in_ledger(sold: Sold) -> list[int]:
    rows = await sold.pool.fetch(
        "SELECT sum(amount_minor)::bigint AS tax FROM ledger_entries"
        " WHERE order_id = $1 AND refund_id IS NOT NULL AND account = $2 GROUP BY refund_id ORDER BY refund_id",
        sold.order_id,
        Account.TAXES.value,
    )
    return [row["tax"] for row in rows]


def test_one_rate_that_is_contained_here_and_added_there_is_one_row_whose_sums_are_exact() -> None:
    contained = LineQuote(1190, taxes=(TaxPart("VAT", 190_000, 190, 0),), taxes_included=True)
    added = LineQuote(1000, taxes=(TaxPart("VAT", 190_000, 190, 0),), taxes_included=False)
    fees = LineQuote(
        0, fees=(FeePart("Service", Payer.BUYER, 119),), taxes=(TaxPart("VAT", 190_000, 19, 19, TaxOn.FEES),)
    )
    (row,) = tax_rows([contained, added, fees])
    assert row == ("VAT", 190_000, 1000 + 1000 + 100, 190 + 190 + 19)
    assert row.net_minor + row.tax_minor == sum(one.total_minor for one in (contained, added, fees))
