"""How fast messages leave through each broker, beside a bare client of that broker in the same run.

``python benchmarks/brokers.py URL… [--count 5000] [--rate 200]``, where a URL is what FULLHOUSE_BROKER_URL takes;
``make services`` starts servers and leaves their URLs in ``.data/services/``. It starts a PostgreSQL of its own, and
prints messages a second of a bare client (batches of the relay's size, confirmed), of the broker's ``publish`` and of
the whole relay, the ratios, and the lag from commit to the broker's confirmation under a steady load. On a
machine that is busy with other things, trust the ratios.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from uuid import UUID, uuid4

import aio_pika
from aiobotocore.session import get_session
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from yarl import URL

from fullhouse.core.message import Message
from fullhouse.infra import outbox, outbox_leases
from fullhouse.infra.brokers import open_broker
from fullhouse.infra.brokers.cloud_events import to_cloud_event
from fullhouse.infra.embedded import postgres
from fullhouse.infra.migrate import migrate
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection, open_pool, transaction
from fullhouse.infra.system import make_id, randomness
from fullhouse.infra.wake import OUTBOX_CHANNEL, Listener, Notifier
from fullhouse.workers.relay_outbox import BATCH_COUNT_MAX, Relay

ORGANIZATION = uuid4()
KEYS = [uuid4() for _ in range(500)]
SECONDS = 5


@dataclass(frozen=True)
class ThingPaid:
    """As large as ``order.paid``."""

    type: ClassVar[str] = "thing.paid"
    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = False

    key: UUID
    organization_id: UUID = ORGANIZATION

    def data(self) -> Mapping[str, object]:
        """Return seven fields."""
        ids = {name: str(self.key) for name in ("order_id", "event_id", "session_id", "reservation_id")}
        return {**ids, "total_minor": 2500, "currency": "EUR", "reason": None}


def batches(count: int) -> list[list[Message]]:
    made = [
        Message(ORGANIZATION, uuid4(), "thing.paid", 1, key, ThingPaid(key).data(), None, "2031-01-01T00:00:00Z")  # pyright: ignore[reportArgumentType]
        for key in (KEYS[number % len(KEYS)] for number in range(count))
    ]
    return [made[start : start + BATCH_COUNT_MAX] for start in range(0, count, BATCH_COUNT_MAX)]


async def bare_rabbitmq(url: str, work: Sequence[Sequence[Message]]) -> float:
    """Publish bodies that are there already to a quorum queue of its own, and wait for each batch's confirms."""
    async with await aio_pika.connect(str(URL(url).without_query_params("prefix"))) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(f"bare-{uuid4()}", durable=True, arguments={"x-queue-type": "quorum"})
        exchange = channel.default_exchange
        bodies = [[json.dumps(to_cloud_event(message)).encode() for message in batch] for batch in work]
        began = time.perf_counter()
        for batch in bodies:
            envelopes = [aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT) for body in batch]
            await asyncio.gather(*(exchange.publish(envelope, queue.name) for envelope in envelopes))
        seconds = time.perf_counter() - began
        await queue.delete(if_unused=False, if_empty=False)
    return seconds


async def bare_kafka(url: str, work: Sequence[Sequence[Message]]) -> float:
    """Send bodies that are there already to a topic of its own, acknowledged by all copies."""
    topic = f"bare{uuid4().hex}"
    place = URL(url)
    bodies = [[(json.dumps(to_cloud_event(one)).encode(), str(one.key).encode()) for one in batch] for batch in work]
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=f"{place.host}:{place.port}")
    await admin.start()
    await admin.create_topics([NewTopic(topic, 12, 1)])
    async with AIOKafkaProducer(
        bootstrap_servers=f"{place.host}:{place.port}", acks="all", enable_idempotence=True, max_batch_size=131_072
    ) as producer:
        began = time.perf_counter()
        for batch in bodies:
            await asyncio.gather(*[await producer.send(topic, body, key=key) for body, key in batch])
        seconds = time.perf_counter() - began
    await admin.delete_topics([topic])
    await admin.close()
    return seconds


async def bare_sqs(url: str, work: Sequence[Sequence[Message]]) -> float:
    """Send bodies that are there already to a FIFO queue of its own, ten a request, eight requests at once."""
    query, region = URL(url).query, URL(url).host
    session = get_session()
    async with session.create_client(
        "sqs",
        region_name=region,
        endpoint_url=query["endpoint"],
        aws_access_key_id=query["access_key_id"],
        aws_secret_access_key=query["secret_access_key"],
    ) as client:
        sqs: Any = client
        made = await sqs.create_queue(QueueName=f"bare{uuid4().hex}.fifo", Attributes={"FifoQueue": "true"})
        sent = [message for batch in work for message in batch]
        requests = [
            [
                {
                    "Id": str(number),
                    "MessageBody": json.dumps(to_cloud_event(one)),
                    "MessageGroupId": str(one.key),
                    "MessageDeduplicationId": str(one.message_id),
                }
                for number, one in enumerate(sent[first : first + 10])
            ]
            for first in range(0, len(sent), 10)
        ]
        began = time.perf_counter()
        for first in range(0, len(requests), 8):
            await asyncio.gather(
                *(
                    sqs.send_message_batch(QueueUrl=made["QueueUrl"], Entries=some)
                    for some in requests[first : first + 8]
                )
            )
        seconds = time.perf_counter() - began
        await sqs.delete_queue(QueueUrl=made["QueueUrl"])
    return seconds


async def bare_postgres(pool: Pool, work: Sequence[Sequence[Message]]) -> float:
    """Insert bodies that are there already, in the same batches, and do nothing else."""
    bodies: list[list[Any]] = [[to_cloud_event(message) for message in batch] for batch in work]
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        began = time.perf_counter()
        for batch in bodies:
            await conn.execute(
                """
                INSERT INTO broker_messages (queue, organization_id, message_id, key, body)
                SELECT 'bare', $1, m.id, m.id, m.body FROM unnest($2::uuid[], $3::jsonb[]) AS m(id, body)
                """,
                ORGANIZATION,
                [uuid4() for _ in batch],
                batch,
            )
        return time.perf_counter() - began


Bare = Callable[[str, Sequence[Sequence[Message]]], Awaitable[float]]
BARE: dict[str, Bare] = {"amqp": bare_rabbitmq, "amqps": bare_rabbitmq, "kafka": bare_kafka, "sqs": bare_sqs}


async def measure(url: str, pool: Pool, database_url: str, count: int, rate: int) -> None:
    scheme = url.partition(":")[0]
    own = url if scheme == "postgres" else str(URL(url).update_query(prefix=f"bench{uuid4().hex[:8]}"))
    broker = open_broker(own, pool=pool, database_url=database_url, make_id=make_id)
    await broker.declare({"bench": {"thing.paid"}})
    await broker.publish(batches(1)[0])
    work, bare = batches(count), 0.0
    if scheme in BARE or scheme == "postgres":
        bare = count / await (BARE[scheme](url, work) if scheme in BARE else bare_postgres(pool, work))
        print(f"{scheme}: bare client {bare:.0f} messages/s")
    began = time.perf_counter()
    for batch in work:
        await broker.publish(batch)
    speeds = {"publish": count / (time.perf_counter() - began)}
    await fill(pool, count)
    began = time.perf_counter()
    await Relay(pool, broker, make_id, randomness).send_due()
    speeds["relay"] = count / (time.perf_counter() - began)
    for name, speed in speeds.items():
        print(f"{scheme}: {name} {speed:.0f} messages/s" + (f", {speed / bare:.2f} of the bare client" if bare else ""))
    await pool.execute("TRUNCATE outbox, broker_messages")
    await lag(scheme, Relay(pool, broker, make_id, randomness), pool, database_url, rate)
    await broker.close()


async def fill(pool: Pool, count: int) -> None:
    for start in range(0, count, 1_000):
        async with transaction(pool, EVERY_ORGANIZATION) as conn:
            facts = [ThingPaid(KEYS[number % len(KEYS)]) for number in range(start, min(start + 1_000, count))]
            await outbox.append(conn, make_id, facts)


async def lag(scheme: str, relay: Relay, pool: Pool, database_url: str, rate: int) -> None:
    """Commit at a steady rate beside a running relay; a message is published when the relay marks it as sent."""
    stop = asyncio.Event()
    listener, notifier = Listener(database_url, OUTBOX_CHANNEL), Notifier(database_url)
    relaying = asyncio.create_task(relay.run_until(stop, listener))
    clock = asyncio.get_running_loop().time
    began = clock()
    for number in range(rate * SECONDS):
        async with transaction(pool, EVERY_ORGANIZATION) as conn:
            await outbox.append(conn, make_id, [ThingPaid(uuid4())])
        notifier.wake()
        await asyncio.sleep(max(0.0, began + (number + 1) / rate - clock()))
    actual = rate * SECONDS / (clock() - began)
    await asyncio.sleep(1)
    stop.set()
    notifier.wake()
    await relaying
    await notifier.close()
    await listener.close()
    p50, p99, worst = await pool.fetchval(
        """
        SELECT percentile_cont(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (
            ORDER BY extract(epoch FROM sent_at - occurred_at)::float8 * 1000) FROM outbox
        """
    )
    print(f"{scheme}: lag at {actual:.0f}/s: p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {worst:.1f} ms")


async def main(urls: Sequence[str], count: int, rate: int) -> None:
    with TemporaryDirectory() as folder:
        server = postgres.start(Path(folder) / "postgres", {})
        try:
            await migrate(server.url)
            pool: Any = await open_pool(server.url, size_max=10)
            async with transaction(pool, EVERY_ORGANIZATION) as conn:
                await outbox_leases.prepare_leases(conn)
            for url in urls:
                await pool.execute("TRUNCATE outbox, broker_messages")
                await measure(url, pool, server.url, count, rate)
            await pool.close()
        finally:
            server.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("urls", nargs="+")
    parser.add_argument("--count", type=int, default=5_000)
    parser.add_argument("--rate", type=int, default=200)
    given = parser.parse_args()
    asyncio.run(main(given.urls, given.count, given.rate))
