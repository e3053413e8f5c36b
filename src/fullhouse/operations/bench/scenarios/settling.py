"""Settling payments at the function, as a worker does it: in batches, and one by one."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

from fullhouse.core.message import Message
from fullhouse.core.secrets import derive_key
from fullhouse.infra import system
from fullhouse.infra.brokers.cloud_events import to_cloud_event
from fullhouse.infra.outbox import PARTITIONS
from fullhouse.infra.outbox_leases import load_batch, mark_sent
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, connection, transaction
from fullhouse.operations.bench.bench import Bench, figure
from fullhouse.operations.bench.desk_process import open_office
from fullhouse.operations.bench.figures import Section, ratio
from fullhouse.operations.bench.stock import OnSale, Organizer, put_on_sale
from fullhouse.orders.place_order import OrderRequest, place_order
from fullhouse.orders.rules import Contact
from fullhouse.payments.apply_notice import apply_notices
from fullhouse.payments.deliver_simulated_notices import deliver_simulated_notices
from fullhouse.payments.messages import NoticeReceived
from fullhouse.payments.providers.port import Providers
from fullhouse.payments.providers.simulated import SIMULATED, SimulatedProvider
from fullhouse.payments.starting.open_attempts import PaymentRequest
from fullhouse.payments.starting.start_payment import start_payment
from fullhouse.reservations.place_reservation import BoxOffice
from fullhouse.reservations.rules import ItemRequest
from fullhouse.workers.react import Subscription, react, react_together

BATCH_OVER_SINGLE: Final = 4.0
SINGLE: Final = 100
TOGETHER: Final = 400
SHARE: Final = 100
"""How many payments a worker settles in one transaction."""
HANDS: Final = 4
BUYERS: Final = 8
_OUTBOX_MAX: Final = 100_000
_BUYER: Final = Contact("buyer@example.com", "Ana Souza")


async def settle_over_single(bench: Bench, pool: Pool, organizer: Organizer, section: Section) -> None:
    """Settle payments of one session that wait: first one transaction for each, then the rest in batches."""
    single, together = list[float](), list[float]()
    for _ in range(bench.plan.rounds):
        bench.advance("payments that wait")
        on_sale = await put_on_sale(pool, organizer)
        providers = _providers(pool)
        told = await _told(pool, on_sale, providers)
        bench.advance("settling")
        subscription = _subscription(providers)

        async def alone(messages: Sequence[Message], subscription: Subscription = subscription) -> None:
            for message in messages:
                await react(pool, subscription, to_cloud_event(message))

        async def at_once(messages: Sequence[Message], subscription: Subscription = subscription) -> None:
            await react_together(pool, subscription, [to_cloud_event(message) for message in messages])

        single.append(await _rate(told[:SINGLE], SINGLE // HANDS, alone))
        together.append(await _rate(told[SINGLE:], SHARE, at_once))
        section.broken += await _unpaid(pool, on_sale)
    in_batches = figure(f"payments settled, {SHARE} a transaction", "/s", together)
    one_by_one = figure(f"payments settled, one a transaction, {HANDS} at once", "/s", single)
    section.figures += [in_batches, one_by_one]
    section.ratios.append(ratio("settle: batch over single", in_batches, one_by_one, BATCH_OVER_SINGLE))


def _providers(pool: Pool) -> Providers:
    key = system.randomness(32)
    return Providers({SIMULATED: SimulatedProvider(pool, system.make_id, system.now, (key,))})


def _subscription(providers: Providers) -> Subscription:
    async def settle(conn: Connection, messages: Sequence[Message]) -> None:
        await apply_notices(conn, system.make_id, providers, messages)

    return Subscription(
        "payments.settle", frozenset({NoticeReceived.type}), in_transaction_together=settle, together_max=SHARE
    )


async def _told(pool: Pool, on_sale: OnSale, providers: Providers) -> Sequence[Message]:
    """Order and pay, deliver the notices, and return the messages that have them applied."""
    office = open_office(pool)
    numbers = iter(range(SINGLE + TOGETHER))

    async def buyer() -> None:
        for _ in numbers:
            order_id = await _order(pool, office, on_sale)
            wanted = PaymentRequest(on_sale.organization_id, order_id, SIMULATED, {"outcome": "succeed"})
            await start_payment(pool, system.make_id, providers, wanted)

    await asyncio.gather(*(buyer() for _ in range(BUYERS)))
    await office.close()
    while await deliver_simulated_notices(pool, system.make_id, providers):
        pass
    told: list[Message] = []
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        # What was told of earlier holds stands in front of some of them.
        while waiting := await load_batch(conn, range(PARTITIONS), _OUTBOX_MAX):
            await mark_sent(conn, waiting)
            told += [message for message in waiting if message.type == NoticeReceived.type]
    return told


async def _order(pool: Pool, office: BoxOffice, on_sale: OnSale) -> UUID:
    held = await office.place_reservation(on_sale.session_id, (ItemRequest(on_sale.ticket_type_id, quantity=1),))
    request = OrderRequest(on_sale.organization_id, held.reservation.reservation_id, held.token, _BUYER, language="en")
    async with transaction(pool, on_sale.organization_id) as conn:
        key = derive_key(b"the key of a benchmark", "order")
        return (await place_order(conn, system.make_id, key, request)).order.order_id


async def _rate(
    messages: Sequence[Message], share: int, settle: Callable[[Sequence[Message]], Awaitable[None]]
) -> float:
    """Deal messages out to the hands of a worker; return how many are settled a second."""
    began = time.monotonic()
    await asyncio.gather(*(settle(messages[at : at + share]) for at in range(0, len(messages), share)))
    return len(messages) / (time.monotonic() - began)


async def _unpaid(pool: Pool, on_sale: OnSale) -> list[str]:
    async with transaction(pool, on_sale.organization_id) as conn:
        paid: int = await conn.fetchval(
            "SELECT count(*) FROM orders WHERE organization_id = $1 AND session_id = $2 AND status = 'paid'",
            on_sale.organization_id,
            on_sale.session_id,
        )
    expected = SINGLE + TOGETHER
    return [] if paid == expected else [f"{paid} of {expected} orders are paid"]
