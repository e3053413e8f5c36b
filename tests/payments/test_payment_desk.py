"""Payments that start together: each ends as it would alone, and what is wrong with one is nobody else's trouble."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from harness.providers import FaultyProvider, away
from harness.sale import NOTICE_KEY, ORDER_KEY, Sale, make_sale
from harness.waiting import until

from fullhouse.core.errors import DomainError, Invalid
from fullhouse.core.secrets import derive_secret
from fullhouse.infra import system
from fullhouse.infra.directory import remember
from fullhouse.infra.http import KeptRefusal
from fullhouse.infra.idempotency import IdempotencyKeyReused, fingerprint
from fullhouse.infra.outbox import request_id
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.place_order import PlacedOrder
from fullhouse.orders.rules import OrderAlreadyPaid, OrderNotFound, OrderStatus
from fullhouse.payments.answers import payment_answer
from fullhouse.payments.cancel_payment import abandon_order
from fullhouse.payments.providers.simulated import SIMULATED, SimulatedProvider
from fullhouse.payments.rules import PaymentOpen, PaymentStatus, ProviderRefused, ProviderUnknown
from fullhouse.payments.starting.payment_desk import PaymentDesk
from fullhouse.payments.starting.payment_wish import PaymentStarted, PaymentWish
from fullhouse.payments.writes import lock_order_money
from fullhouse.reservations.rules import ReservationExpired

WAITS_FOR_A_LOCK = """
    SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')
    """
UNKNOWN = UUID(int=1)
Outcome = PaymentStarted | BaseException


class Desk:
    """A desk, and a way to let wishes come into one batch: while the batch before waits for a lock."""

    def __init__(self, sale: Sale) -> None:
        self.sale = sale
        self.desk = PaymentDesk(sale.pool, system.make_id, sale.providers)

    async def start(self, wish: PaymentWish) -> PaymentStarted:
        return await self.desk.start(wish)

    async def together(self, *wishes: PaymentWish) -> list[Outcome]:
        first = await self.sale.order(1)
        ids = first.order.organization_id, first.order.order_id
        # Whose orders they are is known, so that all of them come before anything else happens.
        remember(self.sale.pool, "order", ids[0], [one.order_id for one in wishes if one.order_id != UNKNOWN])
        async with transaction(self.sale.pool, ids[0]) as conn:
            await lock_order_money(conn, *ids)
            ahead = asyncio.create_task(self.start(wish(first)))
            await until(lambda: self.sale.pool.fetchval(WAITS_FOR_A_LOCK))
            rest = [asyncio.create_task(self.start(one)) for one in wishes]
            await asyncio.sleep(0)
        await ahead
        return await asyncio.gather(*rest, return_exceptions=True)


@pytest.fixture
async def open_desk() -> AsyncIterator[Callable[[Sale], Desk]]:
    desks: list[Desk] = []

    def open_one(sale: Sale) -> Desk:
        desks.append(Desk(sale))
        return desks[-1]

    yield open_one
    for desk in desks:
        await desk.desk.close()


def wish(placed: PlacedOrder, outcome: str = "succeed", key: str | None = None, **changes: Any) -> PaymentWish:
    secret = derive_secret(ORDER_KEY, placed.order.order_id)
    made = PaymentWish(placed.order.order_id, secret, SIMULATED, {"outcome": outcome}, key, b"")
    made = made._replace(**changes)
    return made._replace(fingerprint=fingerprint({"provider": made.provider, **made.options}))


def error(outcome: Outcome) -> DomainError:
    assert isinstance(outcome, DomainError), outcome
    return outcome


def answer(outcome: Outcome) -> dict[str, Any]:
    assert isinstance(outcome, PaymentStarted), outcome
    return outcome.answer


async def test_a_mix_ends_as_each_would_alone(pool: Pool, open_desk: Callable[[Sale], Desk]) -> None:
    sale = await make_sale(pool, capacity=30)
    placed = [await sale.order(1) for _ in range(9)]
    plain, late, lost, declined, lapsed, stranger, unoffered, odd, paid = placed
    await sale.lapse(lapsed)
    await sale.pay(paid.order.order_id)
    await sale.deliver()
    await sale.work()
    outcomes = await open_desk(sale).together(
        wish(plain),
        wish(late, "late"),
        wish(lost, "lost_answer"),
        wish(declined, "decline"),
        wish(lapsed),
        wish(stranger, secret="guessed", provider="gold"),
        wish(unoffered, provider="gold"),
        wish(odd, "explode"),
        wish(paid),
        wish(plain, order_id=UNKNOWN),
    )
    started = [answer(one) for one in outcomes[:4]]
    assert [one["next_step"] for one in started] == [{"type": "wait"}] * 4
    refused = [type(error(one)) for one in outcomes[4:]]
    assert refused == [ReservationExpired, OrderNotFound, ProviderUnknown, Invalid, OrderAlreadyPaid, OrderNotFound]
    for one, shown in zip(placed, started, strict=False):
        (payment,) = await sale.payments(one.order.order_id)
        assert payment_answer(payment).model_dump(mode="json") | {"next_step": {"type": "wait"}} == shown
    for one in (lapsed, stranger, unoffered, odd):
        assert await sale.payments(one.order.order_id) == ()
    # Nothing is left for the schedule but what is not due yet.
    assert await sale.deliver() == 0
    await sale.work()
    statuses = [(await sale.show(one.order.order_id)).status for one in (plain, late, lost, declined)]
    assert statuses == [OrderStatus.PAID, OrderStatus.PENDING, OrderStatus.PAID, OrderStatus.PENDING]


async def test_a_key_pays_once_within_a_batch_and_across_batches(pool: Pool, open_desk: Callable[[Sale], Desk]) -> None:
    sale = await make_sale(pool, capacity=30)
    desk = open_desk(sale)
    placed, other = await sale.order(1), await sale.order(1)
    await sale.lapse(other)
    keyed, unkeyed, refused = wish(placed, "late", "k"), wish(placed, "late"), wish(other, key="k")
    outcomes = await desk.together(keyed, refused, keyed, refused, keyed._replace(fingerprint=b"another"), unkeyed)
    first, lapsed, again, lapsed_again, reused, second = outcomes
    assert answer(first) == answer(again)
    assert isinstance(first, PaymentStarted)
    assert isinstance(again, PaymentStarted)
    assert (first.replayed, again.replayed) == (False, True)
    assert isinstance(lapsed, ReservationExpired)
    assert isinstance(lapsed_again, KeptRefusal)
    assert (lapsed_again.code, lapsed_again.fields) == (lapsed.code, lapsed.fields)
    assert isinstance(reused, IdempotencyKeyReused)
    assert error(second).fields["payment_id"] == answer(first)["id"]
    assert isinstance(second, PaymentOpen)
    await sale.make_due(await sale.payment(UUID(answer(first)["id"])))
    await sale.deliver()
    await sale.work()
    later = await open_desk(sale).start(keyed)
    assert (later.replayed, later.answer) == (True, answer(first))
    assert len(await sale.payments(placed.order.order_id)) == 1


async def test_each_notice_is_told_in_the_name_of_its_own_request(
    pool: Pool, open_desk: Callable[[Sale], Desk]
) -> None:
    sale = await make_sale(pool, capacity=30)
    desk = open_desk(sale)
    placed = [await sale.order(1) for _ in range(3)]

    async def start(number: int) -> None:
        request_id.set(f"request-{number}")
        await desk.start(wish(placed[number]))

    await asyncio.gather(*map(start, range(3)))
    told = await sale.messages("payment.notice_received")
    assert {one.key: one.request_id for one in told} == {
        one.order.order_id: f"request-{number}" for number, one in enumerate(placed)
    }


async def test_one_that_breaks_a_batch_fails_alone(pool: Pool, open_desk: Callable[[Sale], Desk]) -> None:
    sale = await make_sale(pool, capacity=30)
    placed = [await sale.order(1) for _ in range(3)]
    # A row that somebody wrote by hand: its key is in the way of the second order's attempt.
    await pool.execute(
        """
        INSERT INTO payments (organization_id, payment_id, order_id, attempt, provider, amount_minor, currency,
                              provider_key, deadline_at, status)
        VALUES ($1, $2, $3, 1, 'simulated', 1, 'EUR', $4, clock_timestamp(), 'cancelled')
        """,
        sale.made.organization_id,
        uuid4(),
        uuid4(),
        f"{placed[1].order.order_id}:1:payment",
    )
    outcomes = await open_desk(sale).together(*map(wish, placed))
    assert [isinstance(one, PaymentStarted) for one in outcomes] == [True, False, True]
    assert [len(await sale.payments(one.order.order_id)) for one in placed] == [1, 0, 1]


async def test_a_provider_of_one_call_each_is_called_for_each_apart(
    pool: Pool, open_desk: Callable[[Sale], Desk]
) -> None:
    slow = FaultyProvider(SimulatedProvider(pool, system.make_id, system.now, (NOTICE_KEY,), 3600))
    slow.faults["start"] = [ProviderRefused("Too small.", reason="amount_not_possible"), away()]
    sale = await make_sale(pool, capacity=30, extra_providers={"slow": slow})
    placed = [await sale.order(1) for _ in range(3)]
    outcomes = await open_desk(sale).together(*(wish(one, "late", provider="slow") for one in placed))
    steps = [answer(one)["next_step"] for one in outcomes]
    assert steps == [{"type": "wait"}] * 3
    payments = [payment for one in placed for payment in await sale.payments(one.order.order_id)]
    assert sorted(one.status for one in payments) == [PaymentStatus.DECLINED, *[PaymentStatus.STARTED] * 2]
    assert len(slow.calls) == 4
    charged = await pool.fetchval(
        "SELECT count(*) FROM simulated_charges WHERE payment_id = ANY ($1)",
        [payment.payment_id for payment in payments],
    )
    assert charged == 2


async def test_starting_and_cancelling_and_settling_wait_for_nobody_in_a_circle(
    pool: Pool, open_desk: Callable[[Sale], Desk]
) -> None:
    sale = await make_sale(pool, capacity=30)
    desks = [open_desk(sale) for _ in range(2)]
    placed = [await sale.order(1) for _ in range(8)]
    barrier = asyncio.Barrier(len(placed) * 3)

    async def start(number: int, desk: Desk) -> Outcome:
        await barrier.wait()
        try:
            return await desk.start(wish(placed[number]))
        except DomainError as refused:
            return refused

    async def cancel(number: int) -> Outcome | None:
        await barrier.wait()
        try:
            order = placed[number].order
            await abandon_order(pool, system.make_id, sale.providers, order.organization_id, order.order_id)
        except DomainError as refused:
            return refused
        return None

    acts = [act for at in range(len(placed)) for act in (start(at, desks[0]), cancel(at), start(at, desks[1]))]
    await asyncio.gather(*acts)
    await sale.deliver()
    await sale.work()
    assert (
        await pool.fetchval(
            """
        SELECT count(*) FROM payments WHERE organization_id = $1 AND status = 'started'
        """,
            sale.made.organization_id,
        )
        == 0
    )
    statuses = {(await sale.show(one.order.order_id)).status for one in placed}
    assert statuses <= {OrderStatus.PAID, OrderStatus.CANCELLED}
    for one in placed:
        captured = sum(payment.captured_minor for payment in await sale.payments(one.order.order_id))
        back = sum(refund.amount_minor for refund in await sale.refunds(one.order.order_id))
        is_paid = (await sale.show(one.order.order_id)).status is OrderStatus.PAID
        assert captured - back == (2500 if is_paid else 0)
