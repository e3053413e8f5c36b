"""Bare clients of each broker: they send bodies that are there already, and wait until they are safe."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import uuid4

import aio_pika
from aiobotocore.session import get_session
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from yarl import URL

from fullhouse.infra.brokers.cloud_events import to_cloud_event
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection

PARTITIONS = 12
SQS_AT_ONCE = 8


class Body:
    """A message as a bare client sends it."""

    def __init__(self, message: Any) -> None:  # noqa: ANN401 (a Message)
        self.event: Any = to_cloud_event(message)
        self.text = json.dumps(self.event, separators=(",", ":"))
        self.key, self.once = str(message.key), str(message.message_id)


Send = Callable[[Sequence[Body]], Awaitable[object]]


@asynccontextmanager
async def bare_rabbitmq(url: str, _pool: Pool) -> AsyncGenerator[Send]:
    """Publish to a quorum queue of its own, and wait for the confirms."""
    async with await aio_pika.connect(str(URL(url).without_query_params("prefix"))) as link:
        channel = await link.channel()
        queue = await channel.declare_queue(f"bare-{uuid4()}", durable=True, arguments={"x-queue-type": "quorum"})

        async def send(bodies: Sequence[Body]) -> None:
            mode = aio_pika.DeliveryMode.PERSISTENT
            envelopes = [aio_pika.Message(body.text.encode(), delivery_mode=mode) for body in bodies]
            await asyncio.gather(*(channel.default_exchange.publish(one, queue.name) for one in envelopes))

        yield send
        await queue.delete(if_unused=False, if_empty=False)


@asynccontextmanager
async def bare_kafka(url: str, _pool: Pool) -> AsyncGenerator[Send]:
    """Send to a topic of its own, whose partitions have their leaders, acknowledged by all copies."""
    topic, address = f"bare{uuid4().hex}", f"{URL(url).host}:{URL(url).port}"
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    options = {"acks": "all", "enable_idempotence": True, "max_batch_size": 131_072}
    async with AIOKafkaProducer(bootstrap_servers=address, **options) as producer:
        # A partition without a leader would be waited for: so that none is missing, each gets a message.
        for number in range(PARTITIONS):
            await producer.send_and_wait(topic, b"{}", partition=number)

        async def send(bodies: Sequence[Body]) -> None:
            sent = [await producer.send(topic, body.text.encode(), key=body.key.encode()) for body in bodies]
            await asyncio.gather(*sent)

        yield send
    await admin.delete_topics([topic])
    await admin.close()


@asynccontextmanager
async def bare_sqs(url: str, _pool: Pool) -> AsyncGenerator[Send]:
    """Send to a FIFO queue of its own, ten a request, eight requests at once."""
    query, region = URL(url).query, URL(url).host
    async with get_session().create_client(
        "sqs",
        region_name=region,
        endpoint_url=query["endpoint"],
        aws_access_key_id=query["access_key_id"],
        aws_secret_access_key=query["secret_access_key"],
    ) as client:
        sqs: Any = client
        made = await sqs.create_queue(QueueName=f"bare{uuid4().hex}.fifo", Attributes={"FifoQueue": "true"})

        async def send(bodies: Sequence[Body]) -> None:
            entries = [
                {
                    "Id": str(number),
                    "MessageBody": body.text,
                    "MessageGroupId": body.key,
                    "MessageDeduplicationId": body.once,
                }
                for number, body in enumerate(bodies)
            ]
            requests = [entries[first : first + 10] for first in range(0, len(entries), 10)]
            for first in range(0, len(requests), SQS_AT_ONCE):
                some = requests[first : first + SQS_AT_ONCE]
                await asyncio.gather(*(sqs.send_message_batch(QueueUrl=made["QueueUrl"], Entries=one) for one in some))

        yield send
        await sqs.delete_queue(QueueUrl=made["QueueUrl"])


@asynccontextmanager
async def bare_postgres(_url: str, pool: Pool) -> AsyncGenerator[Send]:
    """Insert rows of the same form into the same table."""
    async with connection(pool, EVERY_ORGANIZATION) as conn:

        async def send(bodies: Sequence[Body]) -> None:
            await conn.execute(
                """
                INSERT INTO broker_messages (queue, organization_id, message_id, key, body)
                SELECT 'bare', m.id, m.id, m.key, m.body
                FROM unnest($1::uuid[], $2::uuid[], $3::jsonb[]) AS m(id, key, body)
                """,
                [uuid4() for _ in bodies],
                [body.key for body in bodies],
                [body.event for body in bodies],
            )

        yield send
        await conn.execute("DELETE FROM broker_messages WHERE queue = 'bare'")


BARE: dict[str, Callable[[str, Pool], AbstractAsyncContextManager[Send]]] = {
    "postgres": bare_postgres,
    "amqp": bare_rabbitmq,
    "kafka": bare_kafka,
    "sqs": bare_sqs,
}
"""By the scheme of the URL."""
