"""How fast messages go through Kafka: ``python benchmarks/brokers_kafka.py kafka://HOST:PORT [MESSAGES]``.

Three rates from the same run on the same server: a bare aiokafka producer with the same settings and bodies, our
``publish`` in batches of the relay's size, and two consumers that receive and acknowledge all of it. Then the lag: one
message at a time from ``publish`` to the hands of a consumer that waits, and its p99 as a ratio to a bare producer and
consumer. Nothing is asserted. Topics begin with ``bench`` and the time, and are left on the server.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from fullhouse.core.message import Message
from fullhouse.infra.brokers.cloud_events import to_cloud_event
from fullhouse.infra.brokers.kafka import KafkaBroker
from fullhouse.infra.brokers.kafka_url import read_kafka_url
from fullhouse.infra.system import make_id

BATCH_COUNT = 256
PARTITIONS = 6
KEYS = [uuid4() for _ in range(500)]
PROBES = 300
NO_POOL = cast("Any", None)


def main() -> None:
    """Run everything and print one line for each figure."""
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    asyncio.run(run(sys.argv[1], count))


async def run(url: str, count: int) -> None:
    """Measure rates, then lags."""
    prefix = f"bench{time.monotonic_ns()}"
    brokers = [KafkaBroker(f"{url}?partitions={PARTITIONS}&prefix={prefix}", NO_POOL, make_id) for _ in range(3)]
    queues = {
        name: {"thing.happened"} if name == "ours" else {"nothing"} for name in ("ours", "bare", "lag", "barelag")
    }
    queues["lag"] = {"thing.probed"}
    for broker in brokers:
        await broker.declare(queues)
    await brokers[0].depth()
    servers = list(read_kafka_url(url).servers)
    messages = [message("thing.happened", number) for number in range(count)]
    try:
        bare = count / await timed(lambda: publish_bare(servers, f"{prefix}.bare", messages))
        ours = count / await timed(lambda: publish_ours(brokers[0], messages))
        consumed = count / await timed(lambda: consume(brokers[1:], "ours", count))
        print(f"bare aiokafka, acks=all, idempotent   {bare:10,.0f} messages/s")
        print(f"publish, batches of {BATCH_COUNT}               {ours:10,.0f} messages/s   ratio {ours / bare:.2f}")
        print(f"receive + acknowledge, two consumers  {consumed:10,.0f} messages/s")
        show_lag("bare", bare_lag := await lag_bare(servers, f"{prefix}.barelag"))
        show_lag("ours", our_lag := await lag_ours(brokers[0], brokers[1]))
        print(f"lag p99 as a ratio to bare            {p99(our_lag) / p99(bare_lag):10.2f}")
    finally:
        for broker in brokers:
            await broker.close()


def message(type_: str, number: int) -> Message:
    """Make a message of a common size."""
    return Message(
        organization_id=uuid4(),
        message_id=make_id(),
        type=type_,
        version=1,
        key=KEYS[number % len(KEYS)],
        data={"order_id": str(uuid4()), "event_id": str(uuid4()), "total_minor": 4_500, "currency": "EUR"},
        request_id=None,
        occurred_at="2026-03-01T12:00:00.000001Z",
    )


async def timed(act: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds that something took."""
    begun = time.monotonic()
    await act()
    return time.monotonic() - begun


async def publish_bare(servers: list[str], topic: str, messages: list[Message]) -> None:
    """Send the same bodies in the same batches with nothing between us and the client."""
    async with AIOKafkaProducer(
        bootstrap_servers=servers, acks="all", enable_idempotence=True, max_batch_size=131_072
    ) as producer:
        for first in range(0, len(messages), BATCH_COUNT):
            sent = [
                await producer.send(topic, json.dumps(to_cloud_event(one)).encode(), key=str(one.key).encode())
                for one in messages[first : first + BATCH_COUNT]
            ]
            await asyncio.gather(*sent)


async def publish_ours(broker: KafkaBroker, messages: list[Message]) -> None:
    """Publish as the relay does, less its reading and marking of the outbox."""
    for first in range(0, len(messages), BATCH_COUNT):
        await broker.publish(messages[first : first + BATCH_COUNT])


async def consume(brokers: list[KafkaBroker], queue: str, count: int) -> None:
    """Take everything that is there, up to 100 at a time, with several rounds under way as handlers are."""
    taken = 0

    async def work(broker: KafkaBroker) -> None:
        nonlocal taken
        while taken < count:
            deliveries = await broker.receive(queue, count_max=100, lease_seconds=30)
            taken += len(deliveries)
            await broker.acknowledge(deliveries)

    await asyncio.gather(*(work(broker) for broker in brokers for _ in range(4)))


async def lag_ours(publisher: KafkaBroker, consumer: KafkaBroker) -> list[float]:
    """Publish one message at a time to a consumer that waits."""
    await consumer.receive("lag", count_max=1, lease_seconds=30)
    lags: list[float] = []
    for number in range(PROBES):
        begun = time.monotonic()
        await publisher.publish([message("thing.probed", number)])
        while not (got := await consumer.receive("lag", count_max=1, lease_seconds=30)):
            await consumer.wait("lag", 1)
        lags.append(time.monotonic() - begun)
        await consumer.acknowledge(got)
    return lags


async def lag_bare(servers: list[str], topic: str) -> list[float]:
    """Do the same with nothing but the clients."""
    lags: list[float] = []
    consumer: Any = AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest")
    async with consumer, AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True) as producer:
        for number in range(PROBES):
            one = message("thing.probed", number)
            begun = time.monotonic()
            await producer.send_and_wait(topic, json.dumps(to_cloud_event(one)).encode(), key=str(one.key).encode())
            await consumer.getone()
            lags.append(time.monotonic() - begun)
    return lags


def p99(lags: list[float]) -> float:
    """Return the value that one in a hundred exceeds."""
    return sorted(lags)[int(len(lags) * 0.99)]


def show_lag(name: str, lags: list[float]) -> None:
    """Print one line of milliseconds."""
    p50 = sorted(lags)[len(lags) // 2]
    print(f"lag, {name:4}                             p50 {p50 * 1e3:6.1f} ms   p99 {p99(lags) * 1e3:6.1f} ms")


if __name__ == "__main__":
    main()
