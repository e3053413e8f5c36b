"""What a refund takes of an order, decided without a database."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullhouse.aftersales.rules import RefundWish, plan_refund
from fullhouse.core.errors import Invalid
from fullhouse.orders.rules import Order, OrderNotRefundable, OrderStatus, Unit
from fullhouse.payments.rules import RefundTooLarge
from fullhouse.pricing.parts import Parts

NOON = datetime(2027, 5, 1, 12, tzinfo=UTC)


def order(status: OrderStatus = OrderStatus.PAID) -> Order:
    ids = (UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4), UUID(int=5))
    return Order(*ids, status, b"", 0, "EUR", "en", NOON, NOON, None)


def unit(line_number: int, number: int, price_minor: int = 1000, *, live: bool = True) -> Unit:
    return Unit(
        unit_id=uuid4(),
        order_id=UUID(int=2),
        line_number=line_number,
        number=number,
        session_id=UUID(int=4),
        ticket_type_id=UUID(int=9),
        price_category_id=UUID(int=9),
        area=None,
        seat=None,
        quota_ids=(UUID(int=7),),
        price_minor=price_minor,
        live=live,
        parts=Parts(price_minor=price_minor),
    )


UNITS = [unit(1, 1), unit(1, 2), unit(1, 3, live=False), unit(2, 1, 2500)]


def test_the_whole_is_every_live_unit_and_all_the_money_that_is_left() -> None:
    plan = plan_refund(order(), UNITS, 4100, RefundWish())
    assert plan.units == (UNITS[0], UNITS[1], UNITS[3])
    assert plan.amount_minor == 4100


def test_units_go_back_for_their_price_or_for_less() -> None:
    wish = RefundWish(unit_ids=(UNITS[3].unit_id,))
    assert plan_refund(order(), UNITS, 4500, wish).amount_minor == 2500
    cheaper = RefundWish(unit_ids=(UNITS[3].unit_id,), amount_minor=2000)
    assert plan_refund(order(), UNITS, 4500, cheaper).amount_minor == 2000
    free = plan_refund(order(), UNITS, 4500, RefundWish(unit_ids=(UNITS[3].unit_id,), amount_minor=0))
    assert (free.units, free.amount_minor) == ((UNITS[3],), 0)


def test_a_line_goes_back_whole_or_in_part_and_never_takes_a_unit_twice() -> None:
    assert plan_refund(order(), UNITS, 4500, RefundWish(lines={1: None})).units == (UNITS[0], UNITS[1])
    assert plan_refund(order(), UNITS, 4500, RefundWish(lines={1: 1})).units == (UNITS[0],)
    both = plan_refund(order(), UNITS, 4500, RefundWish(unit_ids=(UNITS[0].unit_id,), lines={1: 1}))
    assert both.units == (UNITS[0], UNITS[1])
    assert both.amount_minor == 2000


def test_an_amount_alone_ends_no_unit() -> None:
    plan = plan_refund(order(), UNITS, 4500, RefundWish(amount_minor=4500))
    assert (plan.units, plan.amount_minor) == ((), 4500)


@pytest.mark.parametrize(
    "wish",
    [
        RefundWish(unit_ids=(UUID(int=99),)),
        RefundWish(unit_ids=(UNITS[2].unit_id,)),
        RefundWish(lines={1: 3}),
        RefundWish(lines={3: None}),
        RefundWish(unit_ids=(UNITS[0].unit_id, UNITS[1].unit_id), lines={1: None}),
    ],
)
def test_what_the_order_has_not_is_refused(wish: RefundWish) -> None:
    with pytest.raises(Invalid):
        plan_refund(order(), UNITS, 4500, wish)


def test_more_than_is_left_is_refused_with_the_rest() -> None:
    for wish in (RefundWish(amount_minor=2001), RefundWish(unit_ids=(UNITS[3].unit_id,))):
        with pytest.raises(RefundTooLarge) as refused:
            plan_refund(order(), UNITS, 2000, wish)
        assert refused.value.fields["refundable_minor"] == 2000


@pytest.mark.parametrize("status", [one for one in OrderStatus if one is not OrderStatus.PAID])
def test_only_a_paid_order_is_refunded(status: OrderStatus) -> None:
    with pytest.raises(OrderNotRefundable) as refused:
        plan_refund(order(status), UNITS, 0, RefundWish())
    assert refused.value.fields["order_status"] == status.value


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=12), st.data())
def test_refunds_in_any_parts_sum_to_what_was_paid(prices: list[int], data: st.DataObject) -> None:
    units = [unit(1, number, price) for number, price in enumerate(prices, start=1)]
    left, returned = sum(prices), 0
    for one in data.draw(st.permutations(units)):
        plan = plan_refund(order(), units, left, RefundWish(unit_ids=(one.unit_id,)))
        returned += plan.amount_minor
        left -= plan.amount_minor
    assert (left, returned) == (0, sum(prices))
