"""A relay and a consumer at work beside a writer, while something happens to their broker."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from fullhouse.core.message import Message
from fullhouse.infra import outbox
from fullhouse.infra.brokers.port import Broker
from fullhouse.infra.inbox import first_time
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, transaction
from fullhouse.infra.system import make_id, randomness
from fullhouse.infra.wake import OUTBOX_CHANNEL, Listener, Notifier
from fullhouse.workers.consume import Consumer
from fullhouse.workers.react import Subscription
from fullhouse.workers.relay_outbox import Relay
from fullhouse.workers.supervise import supervise
from harness.messages import ThingHappened
from harness.waiting import until

QUEUE = "things"
WANTED = {"thing.happened"}
ROUNDS = 100
PAUSE_SECONDS_MIN = 0.05
"""A round of messages every so often, and not more than some: they are caught up with one of a key at a time."""


@dataclass
class Ride:
    """What was written, and what a consumer saw of it."""

    pool: Any
    notifier: Notifier
    keys: list[UUID] = field(default_factory=lambda: [uuid4() for _ in range(12)])
    rounds: int = 0
    numbers: dict[UUID, list[int]] = field(default_factory=dict[UUID, list[int]])

    async def write_for(self, seconds: float) -> None:
        """Commit a message of every key again and again."""
        pause_seconds = max(PAUSE_SECONDS_MIN, seconds / ROUNDS)
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        while clock() < end:
            async with transaction(self.pool, EVERY_ORGANIZATION) as conn:
                await outbox.append(conn, make_id, [ThingHappened(self.rounds, key) for key in self.keys])
            self.notifier.wake()
            self.rounds += 1
            await asyncio.sleep(pause_seconds)

    async def react(self, conn: Connection, received: Message) -> None:
        """Note the number, in the transaction of the inbox row: the effect that must happen once."""
        # A second time of the same message is a repeat that the inbox let through: it would show here.
        assert not await first_time(conn, received.organization_id, QUEUE, str(received.message_id))
        number: Any = received.data["number"]
        self.numbers.setdefault(received.key, []).append(number)

    async def has_arrived(self) -> bool:
        return sum(map(len, self.numbers.values())) == self.rounds * len(self.keys)


@asynccontextmanager
async def riding(broker: Broker, pool: Any, database_url: str, patience_seconds: float) -> AsyncGenerator[Ride]:
    """Run both beside the block; then wait until everything has arrived, once and in the order of each key."""
    stop = asyncio.Event()
    notifier, listener = Notifier(database_url), Listener(database_url, OUTBOX_CHANNEL)
    ride = Ride(pool, notifier)
    relay = Relay(pool, broker, make_id, randomness)
    subscription = Subscription(QUEUE, frozenset(WANTED), in_transaction=ride.react)
    consumer = Consumer(pool, broker, subscription, notifier, randomness)
    loops = {"relay": lambda: relay.run_until(stop, listener), "consume": lambda: consumer.run_until(stop)}
    working = asyncio.create_task(supervise(loops, stop, randomness=randomness, grace_seconds=20))
    try:
        yield ride
        await until(ride.has_arrived, patience_seconds)
    finally:
        stop.set()
        notifier.wake()
        await working
        await notifier.close()
        await listener.close()
    assert ride.numbers == {key: list(range(ride.rounds)) for key in ride.keys}
    assert await pool.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 0
    assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 0
