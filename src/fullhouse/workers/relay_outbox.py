"""The relay: sends what the outbox holds to the broker, in order per key, whatever dies on the way.

A batch is published, then marked as sent; a crash between the two sends it again, which the inbox of each consumer
notices. Sequence order is not commit order, so rows are marked one by one and never passed over by number.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from uuid import UUID

from fullhouse.core.clock import Randomness
from fullhouse.core.ids import MakeId
from fullhouse.core.message import Message
from fullhouse.infra.brokers.port import Broker, MessageRefused
from fullhouse.infra.outbox import PARTITIONS, partition_of
from fullhouse.infra.outbox_leases import (
    load_batch,
    mark_refused,
    mark_sent,
    prepare_leases,
    refusal_count,
    renew_leases,
    return_leases,
    share_of,
    take_leases,
)
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection
from fullhouse.infra.telemetry import get_log
from fullhouse.infra.tracing import publishing
from fullhouse.infra.wake import Listener
from fullhouse.workers.backoff import backoff_seconds

BATCH_COUNT_MAX = 512
LEASED_COUNT_MAX = 32
"""Half of the partitions, so that two relays share them."""

LEASE_SECONDS = 5.0
"""How long the partitions of a relay that died wait for another."""

RENEW_SECONDS = LEASE_SECONDS / 3
"""A lease of this age is renewed, or found lost, before the next batch. A process that is stopped finds it old."""

TOGETHER_SECONDS = 0.05
"""How long a relay that has just sent something waits for more. What comes first after a quiet time leaves at once."""

POLL_SECONDS = 0.5
"""How often the outbox is looked at when no wake-up comes."""

REFUSALS_MAX = 8
"""After so many refusals a message is parked, until somebody sends it again or discards it."""

_log = get_log("fullhouse.workers.relay")


class Relay:
    """One relay of one process. Several may run; leases keep them apart."""

    def __init__(
        self,
        pool: Pool,
        broker: Broker,
        make_id: MakeId,
        randomness: Randomness,
        waiting_types: Collection[str] = frozenset(),
    ) -> None:
        """Take what it needs, and the types whose key waits behind a parked message; ``run_until`` does the work."""
        self._waiting_types = waiting_types
        self._pool = pool
        self._broker = broker
        self._make_id = make_id
        self._randomness = randomness

    async def run_until(self, stop: asyncio.Event, listener: Listener) -> None:
        """Send what there is, wait for a wake-up, and again, until ``stop`` is set. The batch in hand is finished."""
        async with connection(self._pool, EVERY_ORGANIZATION) as conn:
            await prepare_leases(conn)
        while not stop.is_set():
            await listener.arm()
            if await self._send_round():
                await asyncio.sleep(TOGETHER_SECONDS)
            if not stop.is_set():
                await listener.wait(POLL_SECONDS)

    async def _send_round(self) -> int:
        """Send what there is in all partitions; what comes meanwhile is for the next round."""
        sent = 0
        for _ in range(PARTITIONS // LEASED_COUNT_MAX):
            partitions, count = await self._send_share()
            sent += count
            if len(partitions) < LEASED_COUNT_MAX:
                break
        return sent

    async def send_due(self) -> int:
        """Lease what nobody holds, send what there is, give the leases back; return how many were sent."""
        _, sent = await self._send_share()
        return sent

    async def _send_share(self) -> tuple[Sequence[int], int]:
        token, since = self._make_id(), asyncio.get_running_loop().time()
        async with connection(self._pool, EVERY_ORGANIZATION) as conn:
            partitions = await take_leases(conn, token, count_max=LEASED_COUNT_MAX, lease_seconds=LEASE_SECONDS)
        if not partitions:
            return (), 0
        try:
            return partitions, await self._send_leased(token, partitions, since)
        finally:
            async with connection(self._pool, EVERY_ORGANIZATION) as conn:
                await return_leases(conn, token)

    async def _send_leased(self, token: UUID, partitions: Sequence[int], since: float) -> int:
        sent, clock = 0, asyncio.get_running_loop().time
        while partitions:
            async with connection(self._pool, EVERY_ORGANIZATION) as conn:
                share = share_of(partitions, BATCH_COUNT_MAX)
                batch = await load_batch(conn, partitions, BATCH_COUNT_MAX)
                if batch and clock() - since > RENEW_SECONDS:
                    since = clock()
                    partitions = await renew_leases(conn, token, partitions, LEASE_SECONDS)
            held = frozenset(partitions)
            batch = [message for message in batch if partition_of(message.key) in held]
            if not batch:
                break
            sent += await self._publish(batch)
            if max(Counter(partition_of(message.key) for message in batch).values()) < share:
                break
        return sent

    async def _publish(self, batch: Sequence[Message]) -> int:
        try:
            with publishing(batch) as published:
                await self._broker.publish(published)
        except MessageRefused:
            return await self._send_one_by_one(batch)
        async with connection(self._pool, EVERY_ORGANIZATION) as conn:
            await mark_sent(conn, batch)
        return len(batch)

    async def _send_one_by_one(self, batch: Sequence[Message]) -> int:
        """Find the message that is refused; it holds up its own key alone."""
        waiting: set[UUID] = set()
        sent = 0
        for message in batch:
            if message.key in waiting:
                continue
            try:
                with publishing([message]) as published:
                    await self._broker.publish(published)
            except MessageRefused as refused:
                if await self._put_off(message, str(refused)):
                    waiting.add(message.key)
                continue
            async with connection(self._pool, EVERY_ORGANIZATION) as conn:
                await mark_sent(conn, [message])
            sent += 1
        return sent

    async def _put_off(self, message: Message, error: str) -> bool:
        """Let the message wait, or park it after its last try; return whether its key waits."""
        key_waits = message.type in self._waiting_types
        async with connection(self._pool, EVERY_ORGANIZATION) as conn:
            attempts = await refusal_count(conn, message) + 1
            parked = attempts >= REFUSALS_MAX
            delay_seconds = None if parked else backoff_seconds(attempts, self._randomness)
            await mark_refused(conn, message, error, delay_seconds=delay_seconds, key_waits=key_waits)
        _log.warning(
            "message_parked" if parked else "message_refused",
            message_id=str(message.message_id),
            type=message.type,
            attempts=attempts,
            key_waits=key_waits or not parked,
            error=error,
        )
        return key_waits or not parked
