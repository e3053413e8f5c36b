"""A sale under test: a session on sale, buyers, the simulated provider, and a worker that reacts when it is told to.

``Sale.work`` plays the workers: it takes every message of the organization out of the outbox, in order, and reacts
once, as the subscriptions do, until nothing is left.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from fullhouse.core.message import Message
from fullhouse.core.secrets import derive_key
from fullhouse.infra import system
from fullhouse.infra.inbox import first_time
from fullhouse.infra.postgres import Connection, Pool, Record, transaction
from fullhouse.orders.expire_orders import expire_orders
from fullhouse.orders.place_order import OrderRequest, PlacedOrder, place_order
from fullhouse.orders.queries import load_order
from fullhouse.orders.rules import Contact, Order
from fullhouse.payments.apply_notice import apply_notice
from fullhouse.payments.close_declined_order import close_declined_order
from fullhouse.payments.deliver_simulated_notices import deliver_simulated_notices
from fullhouse.payments.providers.port import Provider, Providers
from fullhouse.payments.providers.simulated import SIMULATED, SimulatedProvider
from fullhouse.payments.queries import load_payment, load_payments, load_refunds
from fullhouse.payments.rules import Payment, Refund
from fullhouse.payments.send_refunds import send_refunds
from fullhouse.payments.starting.open_attempts import PaymentRequest
from fullhouse.payments.starting.start_payment import start_payment
from fullhouse.reservations.place_reservation import BoxOffice, Placed
from harness.stock import SERVER_KEY, MadeSession, TypePlan, box_office, counters, make_session, wants

ORDER_KEY = derive_key(SERVER_KEY, "order")
NOTICE_KEY = b"a key that signs notices in tests"
ANA = Contact("ana.souza@example.com", "Ana Souza")


@dataclass
class Sale:
    """One session on sale, and everything that happens around it."""

    pool: Pool
    made: MadeSession
    office: BoxOffice
    simulated: SimulatedProvider
    providers: Providers
    handled: list[Message] = field(default_factory=list[Message])

    async def hold(self, quantity: int = 2) -> Placed:
        """Reserve places."""
        return await self.office.place_reservation(self.made.session_id, wants(self.made, quantity))

    async def order(self, quantity: int = 2, placed: Placed | None = None) -> PlacedOrder:
        """Reserve places, unless some are given, and order them."""
        placed = placed or await self.hold(quantity)
        request = OrderRequest(
            self.made.organization_id, placed.reservation.reservation_id, placed.token, ANA, language="en"
        )
        async with transaction(self.pool, self.made.organization_id) as conn:
            return await place_order(conn, system.make_id, ORDER_KEY, request)

    async def pay(self, order_id: UUID, outcome: str = "succeed", *, provider: str = SIMULATED) -> Payment:
        """Start a payment; its notice is not delivered yet."""
        request = PaymentRequest(self.made.organization_id, order_id, provider, {"outcome": outcome})
        return await start_payment(self.pool, system.make_id, self.providers, request)

    async def deliver(self) -> int:
        """Deliver the notices that are due. A late one is due when ``make_due`` says so."""
        return await deliver_simulated_notices(self.pool, system.make_id, self.providers)

    async def make_due(self, payment: Payment) -> None:
        """Let the time of a late notice come."""
        await self.pool.execute(
            "UPDATE simulated_charges SET notify_at = clock_timestamp() WHERE payment_id = $1", payment.payment_id
        )

    async def work(self) -> list[str]:
        """React to all messages until none is left, and return their types."""
        types: list[str] = []
        while messages := await self._take():
            for message in messages:
                types.append(message.type)
                await self.react(message)
        return types

    async def react(self, message: Message) -> None:
        """React to one message, as the subscriptions do."""
        self.handled.append(message)
        handler = self._handlers().get(message.type)
        if handler is not None:
            async with transaction(self.pool, message.organization_id) as conn:
                if await first_time(conn, message.organization_id, "sale under test", str(message.message_id)):
                    await handler(conn, message)
        if message.type == "refund.requested":
            await send_refunds(self.pool, system.make_id, self.providers)

    def _handlers(self) -> dict[str, Callable[[Connection, Message], Awaitable[object]]]:
        return {
            "payment.notice_received": lambda conn, m: apply_notice(conn, system.make_id, self.providers, m),
            "payment.declined": lambda conn, m: close_declined_order(conn, system.make_id, m),
            "reservation.expired": lambda conn, m: expire_orders(conn, system.make_id, m),
            "reservation.released": lambda conn, m: expire_orders(conn, system.make_id, m),
        }

    async def _take(self) -> list[Message]:
        rows = await self.pool.fetch(
            """
            UPDATE outbox SET sent_at = clock_timestamp() WHERE organization_id = $1 AND sent_at IS NULL
            RETURNING *
            """,
            self.made.organization_id,
        )
        return [message_of(row) for row in sorted(rows, key=lambda row: row["position"])]

    async def messages(self, *types: str) -> list[Message]:
        """List the messages of some types that were ever written, in order."""
        rows = await self.pool.fetch(
            "SELECT * FROM outbox WHERE organization_id = $1 AND type = ANY ($2) ORDER BY position",
            self.made.organization_id,
            types,
        )
        return [message_of(row) for row in rows]

    async def show(self, order_id: UUID) -> Order:
        """Load an order as it is."""
        async with transaction(self.pool, self.made.organization_id) as conn:
            order = await load_order(conn, self.made.organization_id, order_id)
        assert order is not None
        return order

    async def payments(self, order_id: UUID) -> tuple[Payment, ...]:
        """Load the payments of an order."""
        async with transaction(self.pool, self.made.organization_id) as conn:
            return await load_payments(conn, self.made.organization_id, order_id)

    async def payment(self, payment_id: UUID) -> Payment:
        """Load one payment."""
        async with transaction(self.pool, self.made.organization_id) as conn:
            payment = await load_payment(conn, self.made.organization_id, payment_id)
        assert payment is not None
        return payment

    async def refunds(self, order_id: UUID) -> tuple[Refund, ...]:
        """Load the refunds of an order."""
        async with transaction(self.pool, self.made.organization_id) as conn:
            return await load_refunds(conn, self.made.organization_id, order_id)

    async def stock(self) -> tuple[int, int, int, int]:
        """Return capacity, held, sold and blocked of the session."""
        return await counters(self.pool, self.made)

    async def live_units(self, order_id: UUID) -> int:
        """Count the live units of an order."""
        return await self.pool.fetchval("SELECT count(*) FROM units WHERE order_id = $1 AND status = 'live'", order_id)

    async def balances(self) -> dict[str, int]:
        """Sum the organization's ledger by account, leaving out accounts that come to nothing."""
        rows = await self.pool.fetch(
            """
            SELECT account, sum(amount_minor)::bigint AS balance FROM ledger_entries
            WHERE organization_id = $1 GROUP BY 1 HAVING sum(amount_minor) <> 0
            """,
            self.made.organization_id,
        )
        return {row["account"]: row["balance"] for row in rows}

    async def lapse(self, placed: PlacedOrder | Placed) -> None:
        """Let the time of a reservation run out."""
        reservation_id = (
            placed.order.reservation_id if isinstance(placed, PlacedOrder) else placed.reservation.reservation_id
        )
        await self.pool.execute(
            "UPDATE reservations SET expires_at = clock_timestamp() - interval '1 second' WHERE reservation_id = $1",
            reservation_id,
        )

    async def end_attempt(self, payment: Payment) -> None:
        """Let the deadline of an attempt pass."""
        await self.pool.execute(
            "UPDATE payments SET deadline_at = clock_timestamp() - interval '1 second', asked_at = NULL"
            " WHERE payment_id = $1",
            payment.payment_id,
        )


async def make_sale(
    pool: Pool,
    *,
    capacity: int = 10,
    price_minor: int = 2500,
    currency: str = "EUR",
    release_on_decline: bool = False,
    extra_providers: dict[str, Provider] | None = None,
) -> Sale:
    """Put a general-admission session on sale."""
    made = await make_session(pool, capacity=capacity, types={"adult": TypePlan(price_minor)})
    await pool.execute("UPDATE events SET currency = $2 WHERE organization_id = $1", made.organization_id, currency)
    await pool.execute(
        "UPDATE sessions SET release_on_decline = $2 WHERE organization_id = $1",
        made.organization_id,
        release_on_decline,
    )
    simulated = SimulatedProvider(pool, system.make_id, system.now, (NOTICE_KEY,), late_seconds=3600)
    providers = Providers({SIMULATED: simulated, **(extra_providers or {})})
    return Sale(pool, made, box_office(pool), simulated, providers)


def message_of(row: Record) -> Message:
    """Read a message from its row in the outbox."""
    return Message(
        organization_id=row["organization_id"],
        message_id=row["message_id"],
        type=row["type"],
        version=row["version"],
        key=row["key"],
        data=row["data"],
        request_id=row["request_id"],
        occurred_at=row["occurred_at"].isoformat(),
    )
