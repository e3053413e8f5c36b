"""Codes with orders: counted under a lock, given back once, and priced as they were shown."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from harness.charges import SERVICE, VAT, declare, new_code
from harness.sale import ANA, ORDER_KEY, Sale, make_sale

from fullhouse.core.errors import Invalid
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.orders.cancel_order import cancel_order
from fullhouse.orders.place_order import OrderRequest, PlacedOrder, place_order
from fullhouse.orders.rules import Contact, OrderNotPending, OrderStatus
from fullhouse.pricing.code_queries import list_uses, load_code
from fullhouse.pricing.codes import Code, CodeNotValid, CodeTerms
from fullhouse.pricing.rules import FeePer
from fullhouse.reservations.expire_reservations import expire_reservations
from fullhouse.reservations.place_reservation import Placed
from fullhouse.reservations.rules import ItemRequest, NotSold

HALF = CodeTerms("HALF", rate=500_000)


@pytest.fixture
async def sale(pool: Pool) -> Sale:
    return await make_sale(pool)


async def hold(sale: Sale, quantity: int = 1, code: str | None = None) -> Placed:
    items = (ItemRequest(sale.made.types["adult"], quantity=quantity),)
    return await sale.office.place_reservation(sale.made.session_id, items, code=code)


async def order(sale: Sale, placed: Placed, code: str | None = None, email: str = ANA.email) -> PlacedOrder:
    ids = (sale.made.organization_id, placed.reservation.reservation_id)
    request = OrderRequest(*ids, placed.token, Contact(email, ""), "en", code=code)
    async with transaction(sale.pool, sale.made.organization_id) as conn:
        return await place_order(conn, system.make_id, ORDER_KEY, request)


async def made(sale: Sale, terms: CodeTerms = HALF) -> Code:
    return await new_code(sale.pool, sale.made.organization_id, terms)


async def uses(sale: Sale, code: Code) -> tuple[int, list[bool]]:
    """Return how many uses the code counts, and of each use whether it was given back."""
    async with connection(sale.pool, sale.made.organization_id) as conn:
        now = await load_code(conn, code.organization_id, code.code_id)
        found = await list_uses(conn, code.organization_id, code.code_id, None, 1000)
    assert now is not None
    return now.use_count, [use.returned_at is not None for use in found]


def kinds(placed: PlacedOrder) -> Sequence[tuple[str, str, int]]:
    return [(line.kind, line.description, line.total_minor) for line in placed.lines]


async def test_twenty_uses_under_eighty_orders_are_twenty(pool: Pool) -> None:
    sale = await make_sale(pool, capacity=80)
    code = await made(sale, CodeTerms("TWENTY", rate=100_000, uses_max=20))
    held = await asyncio.gather(*(hold(sale) for _ in range(80)))
    barrier = asyncio.Barrier(len(held))

    async def try_one(number: int, placed: Placed) -> int:
        await barrier.wait()
        try:
            return (await order(sale, placed, "twenty", f"buyer{number}@example.com")).order.total_minor
        except CodeNotValid:
            return 0

    paid = await asyncio.gather(*(try_one(number, placed) for number, placed in enumerate(held)))
    assert (paid.count(2250), paid.count(0)) == (20, 60)
    assert await uses(sale, code) == (20, [False] * 20)
    assert await pool.fetchval("SELECT count(*) FROM orders WHERE session_id = $1", sale.made.session_id) == 20


async def test_what_ended_gives_its_use_back_once_whoever_ends_it(sale: Sale) -> None:
    code = await made(sale)
    placed = [await order(sale, await hold(sale, code="HALF")) for _ in range(4)]
    assert await uses(sale, code) == (4, [False] * 4)
    for one in placed[:3]:
        await sale.lapse(one)
    barrier = asyncio.Barrier(6)

    async def cancel(one: PlacedOrder) -> None:
        await barrier.wait()
        try:
            async with transaction(sale.pool, sale.made.organization_id) as conn:
                await cancel_order(conn, system.make_id, sale.made.organization_id, one.order.order_id)
        except OrderNotPending:
            pass

    async def expire() -> None:
        await barrier.wait()
        await expire_reservations(sale.pool, system.make_id)
        await sale.work()

    await asyncio.gather(*(cancel(one) for one in placed), expire(), expire())
    await sale.work()
    assert await uses(sale, code) == (0, [True] * 4)
    assert (await order(sale, await hold(sale, code="HALF"))).order.total_minor == 1250


async def test_late_money_counts_the_use_again_even_above_the_limit(sale: Sale) -> None:
    code = await made(sale, CodeTerms("LAST", rate=500_000, uses_max=1))
    late = await order(sale, await hold(sale, code="LAST"))
    payment = await sale.pay(late.order.order_id, "late")
    await sale.lapse(late)
    await expire_reservations(sale.pool, system.make_id)
    await sale.work()
    assert await uses(sale, code) == (0, [True])
    await order(sale, await hold(sale, code="LAST"))
    await sale.make_due(payment)
    await sale.deliver()
    await sale.work()
    assert (await sale.show(late.order.order_id)).status is OrderStatus.PAID
    assert await uses(sale, code) == (2, [False, False])


async def test_a_code_shown_at_the_hold_is_priced_there_and_used_by_the_order(sale: Sale) -> None:
    await declare(sale.pool, sale.made.organization_id, SERVICE, taxes=(VAT,), taxes_included=False)
    code = await made(sale)
    placed = await hold(sale, 2, "half")
    # 2 x 12.50, a fee of 1.00 and 2 percent of what is left of the price, and 20 percent on both.
    assert placed.reservation.total_minor == 2500 + 250 + 550
    assert await uses(sale, code) == (0, [])
    ordered = await order(sale, placed)
    assert ordered.order.total_minor == 3300
    assert kinds(ordered) == [
        ("ticket", "adult, Standing", 5000),
        ("discount", "HALF", -2500),
        ("fee", "Service fee", 250),
        ("tax", "VAT", 550),
    ]
    assert await uses(sale, code) == (1, [False])


async def test_a_code_shown_only_with_the_order_comes_to_the_same(sale: Sale) -> None:
    await declare(sale.pool, sale.made.organization_id, SERVICE, taxes=(VAT,), taxes_included=False)
    await made(sale)
    placed = await hold(sale, 2)
    await declare(sale.pool, sale.made.organization_id)
    ordered = await order(sale, placed, "HALF")
    assert ordered.order.total_minor == 3300
    await sale.pay(ordered.order.order_id)
    await sale.deliver()
    await sale.work()
    assert await sale.balances() == {
        "provider:simulated": 3300,
        "sales": -5000,
        "discounts": 2500,
        "fees": -250,
        "taxes": -550,
    }


async def test_another_code_than_that_of_the_hold_is_refused(sale: Sale) -> None:
    code = await made(sale)
    other = await made(sale, CodeTerms("OTHER", rate=900_000))
    placed = await hold(sale, code="HALF")
    with pytest.raises(Invalid):
        await order(sale, placed, "OTHER")
    assert await uses(sale, other) == (0, [])
    assert (await order(sale, placed, "half")).order.total_minor == 1250
    assert await uses(sale, code) == (1, [False])


async def test_one_buyer_uses_it_so_often_by_any_spelling_of_their_address(sale: Sale) -> None:
    code = await made(sale, CodeTerms("ONCE", rate=500_000, per_buyer_max=1))
    await order(sale, await hold(sale), "ONCE")
    for spelling in ("ana.souza@example.com", "Ana.Souza+b@Example.com"):
        with pytest.raises(CodeNotValid):
            await order(sale, await hold(sale), "ONCE", spelling)
    await order(sale, await hold(sale), "ONCE", "rui.melo@example.com")
    assert await uses(sale, code) == (2, [False, False])


async def test_nothing_left_to_pay_is_paid_at_once(sale: Sale) -> None:
    await declare(sale.pool, sale.made.organization_id, SERVICE)
    await made(sale, CodeTerms("ALL", rate=1_000_000))
    ordered = await order(sale, await hold(sale, 2, "ALL"))
    assert (ordered.order.total_minor, ordered.order.status) == (0, OrderStatus.PAID)
    assert await sale.live_units(ordered.order.order_id) == 2
    assert await sale.balances() == {}


REFUSED: dict[str, dict[str, Any]] = {
    "disabled": {"enabled": False},
    "over": {"valid_until": timedelta(seconds=-1)},
    "not yet": {"valid_from": timedelta(hours=1)},
    "elsewhere": {"session_ids": frozenset({UUID(int=1)})},
    "another event": {"event_id": UUID(int=1)},
    "another currency": {"rate": 0, "amount_minor": 100, "currency": "USD"},
}


@pytest.mark.parametrize("why", REFUSED)
async def test_every_reason_is_the_same_refusal(sale: Sale, why: str) -> None:
    now = system.now()
    changes: dict[str, Any] = {"code": "SOME", "rate": 500_000, **REFUSED[why]}
    for name, value in changes.items():
        changes[name] = now + value if isinstance(value, timedelta) else value
    code = await made(sale, CodeTerms(**changes))
    refusals: list[tuple[str, str, dict[str, object]]] = []
    for text in ("SOME", "NOT-THERE", "!"):
        with pytest.raises(CodeNotValid) as refused:
            await hold(sale, code=text)
        refusals.append((refused.value.code, refused.value.detail, dict(refused.value.fields)))
        placed = await hold(sale)
        with pytest.raises(CodeNotValid) as refused:
            await order(sale, placed, text)
        refusals.append((refused.value.code, refused.value.detail, dict(refused.value.fields)))
    assert len({str(one) for one in refusals}) == 1
    assert await uses(sale, code) == (0, [])


async def test_a_hidden_ticket_type_is_had_with_its_code_alone(sale: Sale) -> None:
    await sale.pool.execute("UPDATE ticket_types SET hidden = true WHERE session_id = $1", sale.made.session_id)
    code = await made(sale, CodeTerms("OPEN", ticket_type_ids=frozenset({sale.made.types["adult"]})))
    await made(sale)
    for shown in (None, "HALF"):
        with pytest.raises(NotSold):
            await hold(sale, code=shown)
    placed = await hold(sale, 2, "OPEN")
    assert placed.reservation.total_minor == 5000
    with pytest.raises(NotSold):
        await hold(sale, 2)
    await order(sale, placed)
    assert await uses(sale, code) == (1, [False])


async def test_an_amount_off_the_order_is_divided_among_its_units(sale: Sale) -> None:
    await made(sale, CodeTerms("TEN", amount_minor=1000, per=FeePer.ORDER, currency="EUR"))
    ordered = await order(sale, await hold(sale, 3, "TEN"))
    assert ordered.order.total_minor == 6500
    await sale.pay(ordered.order.order_id)
    await sale.deliver()
    await sale.work()
    off = await sale.pool.fetch(
        "SELECT discount_minor FROM units WHERE session_id = $1 ORDER BY 1", sale.made.session_id
    )
    assert [row["discount_minor"] for row in off] == [333, 333, 334]
