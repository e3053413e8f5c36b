"""Consumers: take messages from a queue, react, and tell the broker what became of them."""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress

import structlog

from fullhouse.core.clock import Randomness
from fullhouse.core.errors import DomainError, Unavailable
from fullhouse.infra.brokers.port import Broker, Delivery
from fullhouse.infra.postgres import Pool
from fullhouse.infra.telemetry import get_log
from fullhouse.infra.wake import Notifier
from fullhouse.workers.backoff import backoff_seconds
from fullhouse.workers.deal_out import Share, deal_out
from fullhouse.workers.errors import Failure, Verdict, judge
from fullhouse.workers.give_way import GiveWay
from fullhouse.workers.react import Subscription, react, react_together

POLL_SECONDS = 0.5
"""How often an empty queue is looked at when no wake-up comes."""

TOGETHER_SECONDS = 0.02
"""How long a hand that is free waits for others, so that one statement takes messages for several."""

FILLING_SECONDS = 0.05
"""How long a queue whose messages share transactions is left to fill once it gave some, but not all there could be."""

LEASE_SECONDS = 10.0
"""How long the message of a consumer that died stays hidden. While it is worked on, its lease is renewed."""

_log = get_log("fullhouse.workers.consume")


class Consumer:
    """Consumes one queue with bounded concurrency. Messages of one key are never handled at the same time."""

    def __init__(
        self,
        pool: Pool,
        broker: Broker,
        subscription: Subscription,
        notifier: Notifier,
        randomness: Randomness,
        give_way: GiveWay | None = None,
    ) -> None:
        """Take what it needs; ``run_until`` does the work, and rests where it is to give way to others."""
        self._give_way = give_way
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
    def part(self) -> str:
        """The part of a worker that it belongs to."""
        return self._subscription.part

    @property
    def queue(self) -> str:
        """The queue that it consumes."""
        return self._subscription.queue

    async def run_until(self, stop: asyncio.Event) -> None:
        """Consume until ``stop`` is set, then finish the messages in hand. A cancellation gives them up."""
        renewing = asyncio.create_task(self._renew(), name=f"{self.queue}:renew")
        try:
            while not stop.is_set():
                await self._step(stop)
            await asyncio.gather(*self._busy)
        finally:
            for task in (renewing, *self._busy):
                task.cancel()
            await asyncio.gather(renewing, *self._busy, return_exceptions=True)

    async def consume_due(self) -> int:
        """Handle what is ready, as much as all hands can take; return how many messages that was."""
        hands = self._subscription.concurrency_max
        deliveries = await self._receive(hands)
        renewing = asyncio.create_task(self._renew())
        try:
            await asyncio.gather(
                *(self._work_off(shares) for shares in deal_out(deliveries, hands, self._subscription.together_max))
            )
        finally:
            renewing.cancel()
        return len(deliveries)

    async def _step(self, stop: asyncio.Event) -> None:
        await self._gather_hands()
        if self._give_way is not None and (seconds := self._give_way.rest_seconds()):
            await self._rest(seconds, stop)
            return
        free = self._subscription.concurrency_max - len(self._busy)
        filled_at = asyncio.get_running_loop().time() + FILLING_SECONDS
        deliveries = await self._receive(free) if free else []
        for shares in deal_out(deliveries, free, self._subscription.together_max):
            task = asyncio.create_task(self._work_off(shares), name=f"{self.queue}:{shares[0][0].message_id}")
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
        if len(deliveries) < free * self._subscription.together_max:
            await self._wait()
            if deliveries and self._subscription.together_max > 1:
                await asyncio.sleep(filled_at - asyncio.get_running_loop().time())
        elif self._busy:
            await asyncio.wait(self._busy, return_when=asyncio.FIRST_COMPLETED)

    async def _rest(self, seconds: float, stop: asyncio.Event) -> None:
        """Finish what is in hand, and let others have the processors for a while."""
        until = asyncio.get_running_loop().time() + seconds
        await asyncio.gather(*self._busy)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await stop.wait()

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

    async def _receive(self, hands: int) -> list[Delivery]:
        count_max = hands * self._subscription.together_max
        return await self._broker.receive(self.queue, count_max=count_max, lease_seconds=LEASE_SECONDS)

    async def _work_off(self, shares: Sequence[Share]) -> None:
        """Deal with what one hand was given, one share after the other. What waits for its turn is kept on lease."""
        mine = {id(delivery): delivery for share in shares for delivery in share}
        self._in_hand |= mine
        try:
            for share in shares:
                await (self._handle_together(share) if len(share) > 1 else self._handle(share[0]))
        finally:
            for key in mine:
                self._in_hand.pop(key, None)

    async def _handle_together(self, share: Share) -> None:
        """React to several messages in one transaction; where one of them fails, to each of them alone."""
        structlog.contextvars.bind_contextvars(queue=self.queue)
        try:
            messages = await react_together(self._pool, self._subscription, [delivery.body for delivery in share])
        except Unavailable as error:
            for delivery in share:
                await self._settle_failure(delivery, error)
        except Exception:  # noqa: BLE001 (the one that fails will fail again, alone, and be judged then)
            for delivery in share:
                await self._handle(delivery)
        else:
            structlog.contextvars.unbind_contextvars("type", "request_id")
            # One line for all of them: a line for each would cost as much as the reaction.
            _log.info(
                "messages_handled",
                message_ids=[str(message.message_id) for message in messages],
                request_ids=sorted({message.request_id for message in messages if message.request_id}),
            )
            await self._settle(share)

    async def _handle(self, delivery: Delivery) -> None:
        structlog.contextvars.bind_contextvars(queue=delivery.queue, message_id=str(delivery.message_id))
        try:
            await react(self._pool, self._subscription, delivery.body)
        except Exception as error:  # noqa: BLE001 (whatever a handler raises becomes a verdict)
            await self._settle_failure(delivery, error)
        else:
            _log.info("message_handled", attempts=delivery.attempts)
            await self._settle([delivery])
        finally:
            self._in_hand.pop(id(delivery), None)

    async def _settle(self, deliveries: Sequence[Delivery]) -> None:
        # What the handler announced should leave before the broker is told: it is what somebody waits for.
        if self._subscription.announces:
            self._notifier.wake()
        await self._quietly(self._acknowledge(deliveries))

    async def _acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker of everything that was done while it was being told of what came before."""
        self._done |= {id(delivery): delivery for delivery in deliveries}
        async with self._telling:
            if id(deliveries[0]) in self._done:
                if self._subscription.telling_seconds:
                    await asyncio.sleep(self._subscription.telling_seconds)
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
