"""Decisions about money, without a database: ranks, splits, balance."""

from datetime import UTC, datetime
from itertools import permutations
from random import Random
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullhouse.orders.rules import OrderStatus
from fullhouse.payments.ledger import (
    SOLD,
    Account,
    capture_entry,
    dispute_lost_entry,
    dispute_returned_entry,
    dispute_withdrawn_entry,
    refund_by_dispute_entry,
    refund_entry,
    refund_request_entry,
    sale_entry,
    scale_accounts,
    sold_accounts,
)
from fullhouse.payments.refundable import Refundable, split_refund
from fullhouse.payments.rules import (
    ATTEMPTS_MAX,
    Charge,
    ChargeStatus,
    Payment,
    PaymentDeclined,
    PaymentOpen,
    PaymentStatus,
    RefundTooLarge,
    may_seat,
    refund_reason,
    refuse_new_attempt,
    retry_seconds,
    settle,
    tries_max,
)
from fullhouse.pricing.parts import Parts

NOON = datetime(2027, 5, 1, 12, tzinfo=UTC)


def payment(status: PaymentStatus = PaymentStatus.STARTED, captured_minor: int = 0) -> Payment:
    return Payment(
        organization_id=UUID(int=1),
        payment_id=UUID(int=2),
        order_id=UUID(int=3),
        attempt=1,
        provider="simulated",
        status=status,
        amount_minor=1000,
        currency="EUR",
        provider_key="key",
        provider_reference=None,
        request={},
        next_step=None,
        reason=None,
        captured_minor=captured_minor,
        capture_reference=None,
        started_at=NOON,
        deadline_at=NOON,
        ended_at=None,
    )


def apply(charges: list[Charge]) -> tuple[PaymentStatus, int]:
    known = payment()
    for charge in charges:
        after = settle(known, charge)
        known = payment(after.status, after.captured_minor)
    return known.status, known.captured_minor


WORDS = [
    Charge("r", ChargeStatus.OPEN),
    Charge("r", ChargeStatus.CANCELLED),
    Charge("r", ChargeStatus.DECLINED),
    Charge("r", ChargeStatus.CAPTURED, 1000),
]


def test_every_order_of_every_set_of_words_ends_the_same() -> None:
    for size in range(1, len(WORDS) + 1):
        for chosen in permutations(range(len(WORDS)), size):
            expected = apply([WORDS[number] for number in sorted(chosen)])
            assert apply([WORDS[number] for number in chosen]) == expected


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12), st.randoms())
def test_duplicates_change_nothing(words: list[Charge], order: Random) -> None:
    shuffled = [*words, *words]
    order.shuffle(shuffled)
    assert apply(shuffled) == apply(words)


def test_money_is_new_once() -> None:
    captured = Charge("r", ChargeStatus.CAPTURED, 1000)
    first = settle(payment(PaymentStatus.DECLINED), captured)
    assert (first.status, first.newly_captured_minor) == (PaymentStatus.SUCCEEDED, 1000)
    again = settle(payment(PaymentStatus.SUCCEEDED, 1000), captured)
    assert again.newly_captured_minor == 0
    assert not again.changes(payment(PaymentStatus.SUCCEEDED, 1000))
    more = settle(payment(PaymentStatus.SUCCEEDED, 1000), Charge("r", ChargeStatus.CAPTURED, 1500))
    assert more.newly_captured_minor == 500


def test_money_that_a_provider_does_not_call_captured_is_not_counted() -> None:
    assert settle(payment(), Charge("r", ChargeStatus.OPEN, 700)).newly_captured_minor == 0


@given(st.integers(0, 10**13), st.lists(st.integers(0, 10**12), max_size=8))
def test_a_refund_is_split_without_losing_a_unit(amount: int, left: list[int]) -> None:
    refundable = [Refundable(uuid4(), one) for one in left]
    if amount > sum(left):
        with pytest.raises(RefundTooLarge) as refused:
            split_refund(amount, refundable)
        assert refused.value.fields["refundable_minor"] == sum(left)
        return
    parts = split_refund(amount, refundable)
    assert sum(part.amount_minor for part in parts) == amount
    by_payment = {one.payment_id: one.amount_minor for one in refundable}
    assert all(0 < part.amount_minor <= by_payment[part.payment_id] for part in parts)
    assert len({part.payment_id for part in parts}) == len(parts)


@given(st.integers(1, 10**12))
def test_every_entry_balances(amount: int) -> None:
    entries = [
        capture_entry("simulated", amount),
        sale_entry(Parts(price_minor=amount)),
        refund_request_entry({Account.SALES: -amount}, amount),
        refund_request_entry({Account.BUYERS: -amount}, amount),
        refund_entry("simulated", amount),
        dispute_withdrawn_entry("simulated", amount),
        dispute_returned_entry("simulated", amount),
        dispute_lost_entry({Account.SALES: -amount}, amount),
        refund_by_dispute_entry(amount),
    ]
    assert [sum(minor for _, minor in entry) for entry in entries] == [0] * len(entries)


PARTS = st.builds(
    lambda price, off, fee, absorbed, tax, of_fees, added: Parts(
        price, min(off, price), fee, absorbed, tax, min(tax, of_fees), tax if added else 0
    ),
    *[st.integers(0, 10**6)] * 6,
    st.booleans(),
)


@given(PARTS, st.integers(1, 9))
def test_a_sale_is_entered_to_the_last_cent_and_its_units_are_its_parts(parts: Parts, count: int) -> None:
    entry = sale_entry(parts)
    assert sum(minor for _, minor in entry) == 0
    assert entry[0] == (Account.BUYERS, parts.total_minor)
    units = [sold_accounts(parts.share(number, count)) for number in range(1, count + 1)]
    assert {account: sum(unit[account] for unit in units) for account in SOLD} == sold_accounts(parts)


@given(PARTS, st.data())
def test_a_refund_takes_from_each_account_what_it_had(parts: Parts, data: st.DataObject) -> None:
    accounts = sold_accounts(parts)
    whole = -sum(accounts.values())
    amount = data.draw(st.integers(0, whole))
    taken = scale_accounts(accounts, amount)
    assert -sum(taken.values()) == amount
    assert sum(minor for _, minor in refund_request_entry(taken, amount)) == 0
    if whole:
        assert scale_accounts(accounts, whole) == accounts
        beyond = data.draw(st.integers(1, 10**6))
        more = {**accounts, Account.SALES: accounts[Account.SALES] - beyond}
        assert scale_accounts(accounts, whole + beyond) == more


def test_money_buys_places_only_while_the_order_has_none_and_it_is_enough() -> None:
    unpaid = {OrderStatus.PENDING, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.PAID_UNSEATED}
    for status in OrderStatus:
        assert may_seat(status, 1000, 1000) is (status in unpaid)
        assert may_seat(status, 1000, 1500) is (status in unpaid)
        assert not may_seat(status, 1000, 999)


def test_refunds_say_why() -> None:
    assert refund_reason(OrderStatus.PAID_UNSEATED) == "unseated"
    assert refund_reason(OrderStatus.PAID) == refund_reason(OrderStatus.REFUNDED) == "excess"
    assert refund_reason(OrderStatus.PENDING) == "short"


def test_three_tries_or_one() -> None:
    declined = payment(PaymentStatus.DECLINED)
    assert (tries_max(release_on_decline=False), tries_max(release_on_decline=True)) == (3, 1)
    refuse_new_attempt([declined, declined], 3)
    with pytest.raises(PaymentDeclined):
        refuse_new_attempt([declined, declined, declined], 3)
    with pytest.raises(PaymentDeclined):
        refuse_new_attempt([declined], 1)
    with pytest.raises(PaymentDeclined):
        refuse_new_attempt([payment(PaymentStatus.CANCELLED)] * ATTEMPTS_MAX, 3)
    with pytest.raises(PaymentOpen) as refused:
        refuse_new_attempt([declined, payment()], 3)
    assert refused.value.fields["payment_id"] == str(UUID(int=2))


def test_refunds_are_retried_later_each_time_but_at_least_hourly() -> None:
    assert [retry_seconds(tries) for tries in (1, 2, 3, 8, 9, 1000)] == [20, 40, 80, 2560, 3600, 3600]
