"""Whatever buyers, providers, clocks and workers do to a sale, in any order and two at a time: the books agree.

Each example plays a random script on one small session with real Postgres, then lets everything that is on its way
arrive, and asks what must be true of money, places and orders.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import pytest
from harness.sale import Sale, make_sale
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fullhouse.aftersales.refund_order import refund_order
from fullhouse.aftersales.rules import RefundWish
from fullhouse.core.errors import DomainError
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.rules import OrderStatus
from fullhouse.payments.cancel_payment import abandon_order
from fullhouse.payments.expire_attempts import expire_attempts
from fullhouse.payments.rules import RefundStatus
from fullhouse.payments.send_refunds import send_refunds
from fullhouse.reservations.expire_reservations import expire_reservations

Step = tuple[str, int]
CAPACITY = 5
STEPS = (
    "order",
    "pay succeed",
    "pay decline",
    "pay late",
    "pay lost_answer",
    "deliver",
    "money arrives",
    "work",
    "hold lapses",
    "sweep",
    "cancel",
    "deadline passes",
    "reconcile",
    "refund",
)
step_strategy = st.tuples(st.sampled_from(STEPS), st.integers(0, 2))


class Play:
    """One sale and the orders that were placed in it so far."""

    def __init__(self, sale: Sale) -> None:
        self.sale = sale
        self.orders: list[UUID] = []

    async def step(self, step: Step) -> None:
        """Do one thing to one of the orders; what is refused is refused."""
        name, choice = step
        if name == "order":
            await self._quietly(self._order)
        elif name in {"deliver", "work", "sweep", "reconcile"}:
            await self._quietly(getattr(self, f"_{name}"))
        elif self.orders:
            order_id = self.orders[choice % len(self.orders)]
            verb, _, outcome = name.partition(" ")
            actions: dict[str, Callable[[], Awaitable[object]]] = {
                "pay": lambda: self.sale.pay(order_id, outcome),
                "money": lambda: self._touch_charges(order_id),
                "hold": lambda: self._lapse(order_id),
                "cancel": lambda: abandon_order(*self._tools, self.sale.providers, self._organization, order_id),
                "deadline": lambda: self._pass_deadline(order_id),
                "refund": lambda: self._refund(order_id),
            }
            await self._quietly(actions[verb])

    @property
    def _tools(self) -> tuple[Pool, Callable[[], UUID]]:
        return self.sale.pool, system.make_id

    @property
    def _organization(self) -> UUID:
        return self.sale.made.organization_id

    async def _quietly(self, action: Callable[[], Awaitable[object]]) -> None:
        try:
            await action()
        except DomainError:
            return

    async def _order(self) -> None:
        placed = await self.sale.order(2)
        self.orders.append(placed.order.order_id)

    async def _deliver(self) -> None:
        await self.sale.deliver()

    async def _work(self) -> None:
        await self.sale.work()

    async def _sweep(self) -> None:
        await expire_reservations(*self._tools)

    async def _reconcile(self) -> None:
        await expire_attempts(*self._tools, self.sale.providers, ask_after_seconds=0)

    async def _touch_charges(self, order_id: UUID) -> None:
        for payment in await self.sale.payments(order_id):
            await self.sale.make_due(payment)

    async def _lapse(self, order_id: UUID) -> None:
        await self.sale.pool.execute(
            "UPDATE reservations SET expires_at = clock_timestamp() WHERE status = 'held' AND reservation_id = $1",
            (await self.sale.show(order_id)).reservation_id,
        )

    async def _pass_deadline(self, order_id: UUID) -> None:
        for payment in await self.sale.payments(order_id):
            await self.sale.end_attempt(payment)

    async def _refund(self, order_id: UUID) -> None:
        async with transaction(self.sale.pool, self._organization) as conn:
            await refund_order(conn, system.make_id, self._organization, order_id, RefundWish())

    async def come_to_rest(self) -> None:
        """Let all money, notices, messages and refunds that are on their way arrive."""
        for order_id in self.orders:
            await self._touch_charges(order_id)
            await self._pass_deadline(order_id)
        for _ in range(3):
            await self._deliver()
            await self._work()
            await self._reconcile()
            await self._sweep()
            await self._work()
            await self.sale.pool.execute("UPDATE refunds SET retry_at = NULL WHERE status = 'requested'")
            await send_refunds(*self._tools, self.sale.providers)

    async def check(self) -> None:
        """Ask what must be true."""
        live = held = 0
        for order_id in self.orders:
            order = await self.sale.show(order_id)
            payments, refunds = await self.sale.payments(order_id), await self.sale.refunds(order_id)
            kept = sum(one.captured_minor for one in payments) - sum(one.amount_minor for one in refunds)
            units = await self.sale.live_units(order_id)
            assert order.status is not OrderStatus.PAID_UNSEATED
            assert all(refund.status is RefundStatus.SUCCEEDED for refund in refunds)
            assert (kept, units) == ((order.total_minor, 2) if order.status is OrderStatus.PAID else (0, 0))
            live += units
            held += 2 if order.status is OrderStatus.PENDING else 0
        assert await self.sale.stock() == (CAPACITY, held, live, 0)
        sold = live // 2 * 2 * 2500
        assert await self.sale.balances() == ({"provider:simulated": sold, "sales": -sold} if sold else {})
        assert await self._provider_says() == sold

    async def _provider_says(self) -> int:
        return await self.sale.pool.fetchval(
            """
            SELECT coalesce(sum(amount_minor - refunded_minor), 0)::bigint FROM simulated_charges
            WHERE organization_id = $1 AND status = 'captured'
            """,
            self._organization,
        )


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=st.lists(st.lists(step_strategy, min_size=1, max_size=2), min_size=4, max_size=24))
async def test_whatever_happens_money_and_places_agree(fresh_pool: Pool, script: Sequence[Sequence[Step]]) -> None:
    play = Play(await make_sale(fresh_pool, capacity=CAPACITY))
    await play.step(("order", 0))
    for steps in script:
        await asyncio.gather(*(play.step(step) for step in steps))
    await play.come_to_rest()
    await play.check()


@pytest.mark.parametrize(
    "names",
    [
        ["order", "pay late", "hold lapses", "sweep", "work", "order", "order", "money arrives", "deliver", "work"],
        ["order", "pay late", "cancel", "money arrives", "deliver", "work", "refund", "work"],
        ["order", "pay late", "deadline passes", "reconcile", "pay succeed", "deliver", "work", "money arrives"],
        ["order", "pay lost_answer", "deadline passes", "reconcile", "refund", "deliver", "work"],
        ["order", "pay decline", "deliver", "work", "pay decline", "deliver", "work", "pay decline", "deliver", "work"],
    ],
)
async def test_stories_that_went_wrong_elsewhere(fresh_pool: Pool, names: list[str]) -> None:
    play = Play(await make_sale(fresh_pool, capacity=CAPACITY))
    for name in names:
        await play.step((name, 0))
    await play.come_to_rest()
    await play.check()
