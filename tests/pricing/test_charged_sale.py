"""Fees and taxes through a whole sale: the hold, the order, its units, the ledger, and the way back."""

from uuid import UUID

import pytest
from harness.charges import ORDER_FEE, PLATFORM, SERVICE, VAT, declare
from harness.sale import Sale, make_sale

from fullhouse.aftersales.refund_order import refund_order
from fullhouse.aftersales.rules import RefundWish
from fullhouse.events.queries import load_terms
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.orders.queries import load_units
from fullhouse.orders.rules import OrderStatus, Unit
from fullhouse.pricing.parts import FeePart, LineQuote, TaxPart
from fullhouse.pricing.rules import Fee, FeePer, Level, Payer
from fullhouse.reservations.expire_reservations import expire_reservations


@pytest.fixture
async def sale(pool: Pool) -> Sale:
    return await make_sale(pool)


async def units_of(sale: Sale, order_id: UUID) -> tuple[Unit, ...]:
    async with connection(sale.pool, sale.made.organization_id) as conn:
        return await load_units(conn, sale.made.organization_id, order_id)


async def sold(sale: Sale, quantity: int) -> UUID:
    order = (await sale.order(quantity)).order
    await sale.pay(order.order_id)
    await sale.deliver()
    await sale.work()
    assert (await sale.show(order.order_id)).status is OrderStatus.PAID
    return order.order_id


async def refund(sale: Sale, order_id: UUID, wish: RefundWish) -> int:
    async with transaction(sale.pool, sale.made.organization_id) as conn:
        done = await refund_order(conn, system.make_id, sale.made.organization_id, order_id, wish)
    await sale.work()
    return done.amount_minor


async def test_a_hold_is_priced_all_in_and_its_order_says_why(sale: Sale) -> None:
    await declare(sale.pool, sale.made.organization_id, SERVICE, ORDER_FEE, PLATFORM, taxes=(VAT,))
    placed = await sale.hold(3)
    (item,) = placed.reservation.items
    # 3 x 25.00, a fee of 1.00 and 2 percent each, 0.99 for the order. VAT of 20 percent stands in all of it.
    assert item.quote == LineQuote(
        7500,
        0,
        (
            FeePart("Service fee", Payer.BUYER, 450),
            FeePart("Order fee", Payer.BUYER, 99),
            FeePart("Platform", Payer.ORGANIZER, 90),
        ),
        (TaxPart("VAT", 200_000, 1342, 92),),
    )
    assert placed.reservation.total_minor == 7500 + 450 + 99
    ordered = await sale.order(placed=placed)
    assert ordered.order.total_minor == 8049
    assert [(line.kind, line.description, line.quantity, line.price_minor) for line in ordered.lines] == [
        ("ticket", "adult, Standing", 3, 2500),
        ("fee", "Service fee", 1, 450),
        ("fee", "Order fee", 1, 99),
    ]


async def test_each_unit_keeps_its_share_and_the_ledger_explains_every_cent(sale: Sale) -> None:
    await declare(sale.pool, sale.made.organization_id, SERVICE, ORDER_FEE, PLATFORM, taxes=(VAT,))
    order_id = await sold(sale, 3)
    units = await units_of(sale, order_id)
    assert [unit.parts for unit in units] == [
        (2500, 0, 183, 30, 448, 31, 0),
        (2500, 0, 183, 30, 447, 31, 0),
        (2500, 0, 183, 30, 447, 30, 0),
    ]
    assert sum(unit.paid_minor for unit in units) == 8049
    assert await sale.balances() == {
        "provider:simulated": 8049,
        "sales": -(7500 - 1250),
        "fees": -(549 + 90 - 92),
        "absorbed_fees": 90,
        "taxes": -1342,
    }


async def test_added_taxes_are_lines_of_their_own(sale: Sale) -> None:
    await declare(sale.pool, sale.made.organization_id, SERVICE, taxes=(VAT,), taxes_included=False)
    ordered = await sale.order(2)
    assert [(line.kind, line.description, line.price_minor) for line in ordered.lines] == [
        ("ticket", "adult, Standing", 2500),
        ("fee", "Service fee", 300),
        ("tax", "VAT", 1060),
    ]
    assert ordered.order.total_minor == 5000 + 300 + 1060


async def test_a_refund_of_a_unit_gives_back_all_that_was_paid_for_it(sale: Sale) -> None:
    await declare(sale.pool, sale.made.organization_id, SERVICE, ORDER_FEE, PLATFORM, taxes=(VAT,))
    order_id = await sold(sale, 3)
    units = await units_of(sale, order_id)
    assert await refund(sale, order_id, RefundWish(unit_ids=(units[0].unit_id,))) == 2683
    assert await sale.balances() == {
        "provider:simulated": 8049 - 2683,
        "sales": -(6250 - (2500 - 417)),
        "fees": -(547 - (183 + 30 - 31)),
        "absorbed_fees": 60,
        "taxes": -(1342 - 448),
    }
    assert await refund(sale, order_id, RefundWish(amount_minor=1000)) == 1000
    assert await refund(sale, order_id, RefundWish()) == 8049 - 2683 - 1000
    assert await sale.balances() == {}


async def test_what_is_held_keeps_its_price_when_others_are_declared(sale: Sale) -> None:
    await declare(sale.pool, sale.made.organization_id, SERVICE)
    before = await sale.hold(1)
    await declare(sale.pool, sale.made.organization_id)
    after = await sale.hold(1)
    assert (before.reservation.total_minor, after.reservation.total_minor) == (2650, 2500)
    assert (await sale.order(placed=before)).order.total_minor == 2650


async def test_the_nearest_declaration_counts_whole(sale: Sale) -> None:
    made = sale.made

    async def names() -> list[str]:
        async with connection(sale.pool, made.organization_id) as conn:
            terms = await load_terms(conn, made.organization_id, made.session_id)
        assert terms is not None
        return [fee.name for fee in terms.charges.fees] if terms.charges else []

    assert await names() == []
    for level, declared_for in (
        (Level.ORGANIZATION, made.organization_id),
        (Level.EVENT, made.event_id),
        (Level.SESSION, made.session_id),
    ):
        fee = Fee(level.value, FeePer.TICKET, Payer.BUYER, amount_minor=1)
        await declare(sale.pool, made.organization_id, fee, where=(level, declared_for))
        assert await names() == [level.value]


async def test_late_money_finds_the_price_that_was_agreed(sale: Sale) -> None:
    await declare(sale.pool, sale.made.organization_id, SERVICE)
    ordered = await sale.order(2)
    payment = await sale.pay(ordered.order.order_id, "late")
    await declare(sale.pool, sale.made.organization_id)
    await sale.lapse(ordered)
    await expire_reservations(sale.pool, system.make_id)
    await sale.work()
    assert (await sale.show(ordered.order.order_id)).status is OrderStatus.EXPIRED
    await sale.make_due(payment)
    await sale.deliver()
    await sale.work()
    assert (await sale.show(ordered.order.order_id)).status is OrderStatus.PAID
    assert [unit.paid_minor for unit in await units_of(sale, ordered.order.order_id)] == [2650, 2650]
    assert await sale.balances() == {"provider:simulated": 5300, "sales": -5000, "fees": -300}
