"""Whatever buyers, cards, clocks, hands in the dashboard and Stripe's notices do, in any order and two at a time.

Each example plays a random script on one small session, with real Postgres and Stripe's library against the simulator;
then all that is on its way arrives, and money, places and Stripe's own books have to agree.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from harness.books import broken_books
from harness.charges import PLATFORM, SERVICE, VAT, declare
from harness.stripe_sale import StripeSale, stripe_sale
from harness.stripe_simulator.books import Refusal, Thing
from harness.stripe_simulator.server import StripeSimulator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fullhouse.aftersales.refund_order import refund_order
from fullhouse.aftersales.rules import RefundWish
from fullhouse.core.errors import DomainError
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.rules import OrderStatus
from fullhouse.payments.cancel_payment import abandon_order
from fullhouse.payments.ledger import SOLD
from fullhouse.payments.reconcile_days import Day, reconcile_day
from fullhouse.payments.rules import PaymentStatus, RefundStatus
from fullhouse.payments.send_refunds import retry_refund
from fullhouse.reservations.expire_reservations import expire_reservations

Step = tuple[str, int]
CAPACITY = 5
STEPS = (
    "order",
    "start hosted_page",
    "start payment_intent",
    "card good",
    "card insufficient_funds",
    "card three_d_secure",
    "answer lost",
    "notices new",
    "notices reversed",
    "notices again",
    "work",
    "hold lapses",
    "sweep",
    "cancel",
    "deadline passes",
    "session expires",
    "ask",
    "compare",
    "refund",
    "hand refunds",
    "taken twice",
    "bank asks",
    "bank yields",
    "bank insists",
)
step_strategy = st.tuples(st.sampled_from(STEPS), st.integers(0, 2))


@dataclass
class Play:
    """One sale, and the orders that were placed in it so far."""

    shop: StripeSale
    orders: list[UUID] = field(default_factory=list[UUID])

    async def step(self, step: Step) -> None:
        """Do one thing, to one of the orders where it is about one; what is refused is refused."""
        name, choice = step
        verb, _, how = name.partition(" ")
        anywhere: dict[str, Callable[[], Awaitable[object]]] = {
            "order": self._order,
            "answer": self._lose_an_answer,
            "notices": lambda: self._tell(how),
            "work": self.shop.sale.work,
            "sweep": lambda: expire_reservations(self.shop.sale.pool, system.make_id),
            "ask": self.shop.ask,
            "compare": self._compare,
        }
        of_one: dict[str, Callable[[UUID], Awaitable[object]]] = {
            "start": lambda order_id: self.shop.start(order_id, how),
            "card": lambda order_id: self._each_session(order_id, lambda one: self.shop.stripe.books.pay(one, how)),
            "hold": self._lapse,
            "cancel": self._cancel,
            "deadline": self._pass_deadline,
            "session": lambda order_id: self._each_session(order_id, self._expire),
            "refund": self._refund,
            "hand": lambda order_id: self._each_intent(order_id, self._refund_by_hand),
            "taken": lambda order_id: self._each_intent(order_id, self.shop.stripe.books.capture_again),
            "bank": lambda order_id: self._dispute(order_id, how),
        }
        try:
            if verb in anywhere:
                await anywhere[verb]()
            elif self.orders:
                await of_one[verb](self.orders[choice % len(self.orders)])
        except (DomainError, Refusal):
            return

    async def _order(self) -> None:
        self.orders.append((await self.shop.sale.order(2)).order.order_id)

    async def _lose_an_answer(self) -> None:
        self.shop.stripe.faults.append(("answer_lost", "sessions|intents|refunds"))

    async def _tell(self, how: str) -> None:
        books = self.shop.stripe.books
        new = books.events[self.shop.delivered :]
        self.shop.delivered = len(books.events)
        await self.shop.receive({"new": new, "reversed": new[::-1], "again": books.events[-4:] * 2}[how])

    async def _compare(self) -> None:
        day = Day(self.shop.organization_id, "stripe", system.now().date())
        await reconcile_day(self.shop.sale.pool, system.make_id, self.shop.sale.providers, day)

    async def _each_session(self, order_id: UUID, act: Callable[[str], object]) -> None:
        for payment in await self.shop.sale.payments(order_id):
            if payment.provider_reference and payment.status is PaymentStatus.STARTED:
                act(payment.provider_reference)

    async def _each_intent(self, order_id: UUID, act: Callable[[str], object]) -> None:
        """Act on the money of an order that was taken first: a second capture, and what was refunded, stay alone."""
        charges = self._charges(order_id)
        if len(charges) == 1 and charges[0]["amount_refunded"] == 0:
            act(charges[0]["payment_intent"])

    def _charges(self, order_id: UUID) -> list[Thing]:
        things = self.shop.stripe.books.things.values()
        return [
            one
            for one in things
            if one["object"] == "charge" and one["metadata"].get("fullhouse_order_id") == str(order_id)
        ]

    def _expire(self, reference: str) -> None:
        if reference.startswith("cs_"):
            self.shop.stripe.books.expire_session(reference, by_time=True)

    def _refund_by_hand(self, intent: str) -> None:
        self.shop.stripe.books.create_refund({"payment_intent": intent})

    async def _dispute(self, order_id: UUID, how: str) -> None:
        """Let a bank ask for the money of an order once, also after it went back, and decide on that."""
        books, charges = self.shop.stripe.books, self._charges(order_id)
        if how == "asks" and len(charges) == 1 and not self._disputes(order_id):
            books.open_dispute(charges[0]["payment_intent"])
        for one in self._disputes(order_id):
            if how != "asks" and one["status"] == "needs_response":
                books.end_dispute(one["id"], "won" if how == "yields" else "lost")

    def _disputes(self, order_id: UUID) -> list[Thing]:
        charges = {one["id"] for one in self._charges(order_id)}
        things = self.shop.stripe.books.things.values()
        return [one for one in things if one["object"] == "dispute" and one["charge"] in charges]

    async def _lapse(self, order_id: UUID) -> None:
        await self.shop.sale.pool.execute(
            "UPDATE reservations SET expires_at = clock_timestamp() WHERE status = 'held' AND reservation_id = $1",
            (await self.shop.sale.show(order_id)).reservation_id,
        )

    async def _cancel(self, order_id: UUID) -> None:
        sale = self.shop.sale
        await abandon_order(sale.pool, system.make_id, sale.providers, self.shop.organization_id, order_id)

    async def _pass_deadline(self, order_id: UUID) -> None:
        for payment in await self.shop.sale.payments(order_id):
            await self.shop.sale.end_attempt(payment)

    async def _refund(self, order_id: UUID) -> None:
        async with transaction(self.shop.sale.pool, self.shop.organization_id) as conn:
            await refund_order(conn, system.make_id, self.shop.organization_id, order_id, RefundWish())

    async def come_to_rest(self) -> None:
        """Let all attempts and disputes end, and all notices, messages and refunds that are on their way arrive."""
        self.shop.stripe.faults.clear()
        for order_id in self.orders:
            await self._pass_deadline(order_id)
            await self._dispute(order_id, "yields")
        for _ in range(3):
            await self.shop.ask()
            await self._tell("new")
            await self.shop.sale.work()
            await expire_reservations(self.shop.sale.pool, system.make_id)
            await self.shop.sale.work()
            await self._retry_refunds()
            await self.shop.send_refunds()
        await self._compare()
        await self.shop.sale.work()

    async def _retry_refunds(self) -> None:
        """Ask again for what a dispute stopped that is over."""
        for order_id in self.orders:
            for refund in await self.shop.sale.refunds(order_id):
                if refund.status is RefundStatus.FAILED:
                    async with transaction(self.shop.sale.pool, self.shop.organization_id) as conn:
                        await retry_refund(conn, system.make_id, self.shop.organization_id, refund.refund_id)

    async def check(self) -> None:
        """Ask what must be true."""
        live = held = 0
        for order_id in self.orders:
            order, units = await self.shop.sale.show(order_id), await self.shop.sale.live_units(order_id)
            payments, refunds = await self.shop.sale.payments(order_id), await self.shop.sale.refunds(order_id)
            assert PaymentStatus.STARTED not in {payment.status for payment in payments}
            assert order.status is not OrderStatus.PAID_UNSEATED
            assert {refund.status for refund in refunds} <= {RefundStatus.SUCCEEDED}
            charges, lost = (
                self._charges(order_id),
                [one["id"] for one in self._disputes(order_id) if one["status"] == "lost"],
            )
            by_provider = sum(one.amount_minor for one in refunds if one.provider_reference not in lost)
            kept = sum(one.captured_minor for one in payments) - by_provider
            assert kept == sum(one["amount_captured"] - one["amount_refunded"] for one in charges)
            assert units == (2 if order.status is OrderStatus.PAID else 0)
            if not lost:
                assert kept == (order.total_minor if order.status is OrderStatus.PAID else 0)
            live += units
            held += 2 if order.status is OrderStatus.PENDING else 0
        assert await self.shop.sale.stock() == (CAPACITY, held, live, 0)
        taken = self.shop.stripe.books.taken_minor()
        balances = await self.shop.sale.balances()
        assert balances.pop("provider:stripe", 0) == taken
        assert (sum(balances.values()), set(balances) <= {account.value for account in SOLD}) == (-taken, True)
        assert await broken_books(self.shop.sale.pool, self.shop.organization_id) == []


async def play(pool: Pool, stripe: StripeSimulator, script: Sequence[Sequence[Step]]) -> None:
    stripe.__post_init__()
    async with stripe_sale(pool, stripe, capacity=CAPACITY) as shop:
        await declare(pool, shop.organization_id, SERVICE, PLATFORM, taxes=(VAT,))
        played = Play(shop)
        await played.step(("order", 0))
        for steps in script:
            await asyncio.gather(*(played.step(step) for step in steps))
        await played.come_to_rest()
        await played.check()


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=st.lists(st.lists(step_strategy, min_size=1, max_size=2), min_size=4, max_size=24))
async def test_whatever_happens_money_places_and_stripes_books_agree(
    pool: Pool, stripe: StripeSimulator, script: Sequence[Sequence[Step]]
) -> None:
    await play(pool, stripe, script)


@pytest.mark.parametrize(
    "names",
    [
        ["start hosted_page", "card good", "hold lapses", "sweep", "order", "order", "notices new", "work"],
        ["start hosted_page", "card good", "deadline passes", "ask", "notices reversed", "notices again", "work"],
        ["answer lost", "start payment_intent", "deadline passes", "ask", "start hosted_page", "card good", "compare"],
        ["start hosted_page", "card good", "notices new", "work", "taken twice", "compare", "hand refunds", "compare"],
        ["start payment_intent", "card good", "notices new", "work", "hand refunds", "refund", "notices new", "work"],
        ["start hosted_page", "card good", "bank asks", "refund", "notices reversed", "bank insists", "notices new"],
        ["start hosted_page", "card good", "notices new", "work", "refund", "work", "bank asks", "bank insists"],
        ["start payment_intent", "card good", "bank asks", "taken twice", "notices new", "work", "bank insists"],
        ["start hosted_page", "card good", "cancel", "notices new", "bank asks", "work", "notices new", "bank insists"],
        ["start hosted_page", "card insufficient_funds", "session expires", "start payment_intent", "card good"],
    ],
)
async def test_stories_of_stripe(pool: Pool, stripe: StripeSimulator, names: list[str]) -> None:
    await play(pool, stripe, [[(name, 0)] for name in names])
