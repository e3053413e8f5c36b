"""Consumers: take messages from a queue, react, and tell the broker what became of them.

Two kinds of handler. One takes ``conn``: its inbox row and its effect commit together, so it reacts exactly once.
The other takes no transaction, talks to the outside, and is written so that doing it again changes nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import structlog

from fullhouse.core.clock import Randomness
from fullhouse.core.errors import DomainError
from fullhouse.core.json import Json
from fullhouse.core.message import Message
from fullhouse.infra.brokers.cloud_events import from_cloud_event
from fullhouse.infra.brokers.port import Broker, Delivery
from fullhouse.infra.inbox import first_time
from fullhouse.infra.outbox import request_id
from fullhouse.infra.postgres import Connection, Pool, transaction
from fullhouse.infra.telemetry import get_log
from fullhouse.infra.wake import Notifier
from fullhouse.workers.backoff import backoff_seconds
from fullhouse.workers.errors import Failure, Verdict, judge

POLL_SECONDS = 0.5
"""How often an empty queue is looked at when no wake-up comes."""

TOGETHER_SECONDS = 0.02
"""How long a hand that is free waits for others, so that one statement takes messages for several."""

LEASE_SECONDS = 10.0
"""How long the message of a consumer that died stays hidden. While it is worked on, its lease is renewed."""

_log = get_log("fullhouse.workers.consume")

ConnHandler = Callable[[Connection, Message], Awaitable[object]]
"""Reacts inside the given transaction; never touches the network."""

PoolHandler = Callable[[Message], Awaitable[object]]
"""Owns its transactions, may talk outside, and does nothing the second time."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One line of the table of who reacts to what: a queue, the types it wants, and exactly one of two handlers."""

    queue: str
    types: frozenset[str]
    in_transaction: ConnHandler | None = field(default=None, kw_only=True)
    outside: PoolHandler | None = field(default=None, kw_only=True)
    concurrency_max: int = field(default=4, kw_only=True)
    seconds_max: float = field(default=30.0, kw_only=True)
    """How long the handler may take for one message."""

    def __post_init__(self) -> None:
        """Refuse a line with no handler, or two."""
        if (self.in_transaction is None) == (self.outside is None):
            raise ValueError(f"{self.queue}: a subscription has exactly one handler")


async def react(pool: Pool, subscription: Subscription, body: Mapping[str, Json]) -> None:
    """Let the handler of a queue react to the body of one message, as it was published. Raises what it raises."""
    message = from_cloud_event(body)
    request_id.set(message.request_id)
    structlog.contextvars.bind_contextvars(type=message.type, request_id=message.request_id)
    async with asyncio.timeout(subscription.seconds_max):
        if subscription.outside is not None:
            await subscription.outside(message)
        elif subscription.in_transaction is not None:
            async with transaction(pool, message.organization_id) as conn:
                if await first_time(conn, message.organization_id, subscription.queue, str(message.message_id)):
                    await subscription.in_transaction(conn, message)


class Consumer:
    """Consumes one queue with bounded concurrency. Messages of one key are never handled at the same time."""

    def __init__(
        self, pool: Pool, broker: Broker, subscription: Subscription, notifier: Notifier, randomness: Randomness
    ) -> None:
        """Take what it needs; ``run_until`` does the work."""
        self._pool = pool
        self._broker = broker
        self._subscription = subscription
        self._notifier = notifier
        self._randomness = randomness
        self._busy: set[asyncio.Task[None]] = set()
        self._in_hand: dict[int, Delivery] = {}
        self._done: dict[int, Delivery] = {}
        self._telling = asyncio.Lock()

    @property
    def queue(self) -> str:
        """The queue that it consumes."""
        return self._subscription.queue

    async def run_until(self, stop: asyncio.Event) -> None:
        """Consume until ``stop`` is set, then finish the messages in hand. A cancellation gives them up."""
        renewing = asyncio.create_task(self._renew(), name=f"{self.queue}:renew")
        try:
            while not stop.is_set():
                await self._step()
            await asyncio.gather(*self._busy)
        finally:
            for task in (renewing, *self._busy):
                task.cancel()
            await asyncio.gather(renewing, *self._busy, return_exceptions=True)

    async def consume_due(self) -> int:
        """Handle what is ready, one round of at most ``concurrency_max`` messages; return how many there were."""
        deliveries = await self._receive(self._subscription.concurrency_max)
        renewing = asyncio.create_task(self._renew())
        try:
            await asyncio.gather(*(self._handle(delivery) for delivery in deliveries))
        finally:
            renewing.cancel()
        return len(deliveries)

    async def _step(self) -> None:
        await self._gather_hands()
        free = self._subscription.concurrency_max - len(self._busy)
        deliveries = await self._receive(free) if free else []
        for delivery in deliveries:
            task = asyncio.create_task(self._handle(delivery), name=f"{delivery.queue}:{delivery.message_id}")
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
        if len(deliveries) < free:
            await self._wait()
        elif self._busy:
            await asyncio.wait(self._busy, return_when=asyncio.FIRST_COMPLETED)

    async def _gather_hands(self) -> None:
        """Wait a moment while more than half of the hands are busy: quick work then needs few statements."""
        clock = asyncio.get_running_loop().time
        until = clock() + TOGETHER_SECONDS
        while 2 * len(self._busy) > self._subscription.concurrency_max and clock() < until:
            await asyncio.wait(self._busy, timeout=until - clock(), return_when=asyncio.FIRST_COMPLETED)

    async def _wait(self) -> None:
        """Wait for a wake-up, or for a message in hand: its key may have a next one."""
        woken = asyncio.create_task(self._broker.wait(self._subscription.queue, POLL_SECONDS))
        try:
            await asyncio.wait({woken, *self._busy}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()

    async def _receive(self, count_max: int) -> list[Delivery]:
        return await self._broker.receive(self.queue, count_max=count_max, lease_seconds=LEASE_SECONDS)

    async def _handle(self, delivery: Delivery) -> None:
        structlog.contextvars.bind_contextvars(queue=delivery.queue, message_id=str(delivery.message_id))
        self._in_hand[id(delivery)] = delivery
        try:
            await react(self._pool, self._subscription, delivery.body)
        except Exception as error:  # noqa: BLE001 (whatever a handler raises becomes a verdict)
            await self._settle_failure(delivery, error)
        else:
            _log.info("message_handled", queue=delivery.queue, attempts=delivery.attempts)
            # What the handler announced should leave before the broker is told: it is what somebody waits for.
            self._notifier.wake()
            await self._quietly(self._acknowledge(delivery))
        finally:
            del self._in_hand[id(delivery)]

    async def _acknowledge(self, delivery: Delivery) -> None:
        """Tell the broker of everything that was done while it was being told of what came before."""
        self._done[id(delivery)] = delivery
        async with self._telling:
            if id(delivery) in self._done:
                done, self._done = self._done, {}
                await self._broker.acknowledge(list(done.values()))

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            for delivery in tuple(self._in_hand.values()):
                await self._quietly(self._broker.extend(delivery, LEASE_SECONDS))

    async def _settle_failure(self, delivery: Delivery, error: Exception) -> None:
        failure: Failure = judge(error, delivery.attempts)
        surprise = None if isinstance(error, DomainError) else error
        if failure.verdict is Verdict.DEAD_LETTER:
            _log.error("message_dead_lettered", reason=failure.reason, attempts=delivery.attempts, exc_info=surprise)
            await self._quietly(self._broker.dead_letter(delivery, failure.reason))
            return
        delay_seconds = backoff_seconds(delivery.attempts, self._randomness)
        _log.warning("message_retried", reason=failure.reason, attempts=delivery.attempts, exc_info=surprise)
        await self._quietly(self._broker.retry_later(delivery, delay_seconds))

    async def _quietly(self, telling: Awaitable[None]) -> None:
        """Tell the broker. If it cannot be told, the lease runs out and the message comes again."""
        try:
            await telling
        except DomainError as error:
            _log.warning("broker_not_told", reason=str(error))
