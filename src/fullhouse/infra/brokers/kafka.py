"""The broker that is Apache Kafka: a topic and a consumer group for each queue, keyed partitions, commit after effect.

How a retry waits without losing the order of its key: ``docs/decisions/0006-kafka-retries-wait-in-the-consumer.md``.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import cast
from uuid import UUID

from fullhouse.core.clock import Clock
from fullhouse.core.errors import Unavailable
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.core.message import Message
from fullhouse.infra.brokers.cloud_events import from_cloud_event, to_cloud_event
from fullhouse.infra.brokers.dead_letters import put_away
from fullhouse.infra.brokers.kafka_backlog import Waiting
from fullhouse.infra.brokers.kafka_cluster import Cluster
from fullhouse.infra.brokers.kafka_group import Group
from fullhouse.infra.brokers.kafka_sender import Outgoing, Sender
from fullhouse.infra.brokers.kafka_url import KafkaPlace, read_kafka_url
from fullhouse.infra.brokers.port import Broker, BrokerUnavailable, Delivery, QueueDepth
from fullhouse.infra.postgres import Pool
from fullhouse.infra.system import now

RECEIVE_SECONDS = 0.2
"""How long ``receive`` waits for a first message: what is asked for is fetched over the network."""

FIRST_SECONDS = 1.0
"""The same for the first ``receive``, when connections are still being made."""

JOIN_SECONDS_MAX = 10.0
"""How long the first ``receive`` waits until the group has dealt out its partitions."""

_NOBODY = UUID(int=0)


def open_broker(broker_url: str, *, pool: Pool, database_url: str, make_id: MakeId) -> Broker:
    """Return the broker of a ``kafka://`` or ``kafkas://`` URL; ``pool`` leads to the dead letters."""
    del database_url
    return KafkaBroker(broker_url, pool, make_id)


class KafkaBroker:
    """Queues in topics of Kafka, dead letters in the table of that name."""

    def __init__(self, broker_url: str, pool: Pool, make_id: MakeId, clock: Clock = now) -> None:
        """Read the URL; nothing is connected before it is needed. Raises ``OperatorError``."""
        self._place: KafkaPlace = read_kafka_url(broker_url)
        self._pool = pool
        self._make_id = make_id
        self._cluster = Cluster(self._place, clock)
        self._sender = Sender(self._place)
        self._groups: dict[str, Group] = {}
        self._opening = asyncio.Lock()
        self._queues: Collection[str] = ()
        self._queues_of_type: defaultdict[str, list[str]] = defaultdict(list)

    async def declare(self, queues: Mapping[str, Collection[str]]) -> None:
        """Remember who wants what. Topics are made when they are first needed, so that Kafka may come later."""
        self._queues = tuple(queues)
        self._queues_of_type.clear()
        for queue, types in queues.items():
            for name in types:
                self._queues_of_type[name].append(queue)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Send each message to the topics of its queues, and to the topic of facts if there is one."""
        await self._make_topics(self._queues)
        await self._sender.send([record for message in messages for record in self._records(message)])

    async def receive(self, queue: str, *, count_max: int, lease_seconds: float) -> list[Delivery]:
        """Lend the first message of each key that was fetched and is due."""
        patience = RECEIVE_SECONDS if queue in self._groups else FIRST_SECONDS
        group = await self._group(queue)
        clock = asyncio.get_running_loop().time
        until = clock() + patience
        while not (taken := group.take(count_max, lease_seconds)) and clock() < until:
            await group.wait(until - clock())
        return [_delivery(queue, entry) for entry in taken]

    async def wait(self, queue: str, seconds_max: float) -> None:
        """Wait for what the consumer fetches, and for what becomes due."""
        group = self._groups.get(queue)
        if group is None:
            await asyncio.sleep(seconds_max)
        else:
            await group.wait(seconds_max)

    async def extend(self, delivery: Delivery, lease_seconds: float) -> None:
        """Prolong the lease, unless somebody else had the message meanwhile."""
        if (entry := self._lent(delivery)) is not None:
            self._groups[delivery.queue].extend(entry, lease_seconds)

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Commit what this consumer still has on lease as finished."""
        entries: defaultdict[str, list[Waiting]] = defaultdict(list)
        for delivery in deliveries:
            if (entry := self._lent(delivery)) is not None:
                entries[delivery.queue].append(entry)
        for queue, finished in entries.items():
            await self._groups[queue].finish(finished)

    async def retry_later(self, delivery: Delivery, delay_seconds: float) -> None:
        """End the lease; the message waits in this consumer, and its key behind it."""
        if (entry := self._lent(delivery)) is not None:
            self._groups[delivery.queue].give_back(entry, delay_seconds)

    async def dead_letter(self, delivery: Delivery, reason: str) -> None:
        """Write the letter, then count the message as finished."""
        if self._lent(delivery) is None:
            return
        await self._put_away(delivery, reason)
        await self.acknowledge([delivery])

    async def requeue(self, queue: str, body: Mapping[str, Json]) -> None:
        """Send the body to the topic of the queue."""
        message = from_cloud_event(body)
        await self._make_topics([queue])
        await self._sender.send([_record(self._place.topic_of(queue), message, body)])

    async def depth(self) -> list[QueueDepth]:
        """Measure the lag of each queue's group, less what it finished out of order, and age the oldest record."""
        return await self._cluster.measure(self._queues)

    async def close(self) -> None:
        """Commit, leave the groups, and close the clients."""
        groups, self._groups = self._groups, {}
        await asyncio.gather(*(group.close() for group in groups.values()))
        await self._sender.close()
        await self._cluster.close()

    async def _make_topics(self, queues: Collection[str]) -> None:
        facts = [self._place.facts_topic] if self._place.facts_topic else []
        await self._cluster.make_topics([*(self._place.topic_of(queue) for queue in queues), *facts])

    async def _group(self, queue: str) -> Group:
        if (group := self._groups.get(queue)) is not None and not group.is_broken:
            return group
        async with self._opening:
            if (group := self._groups.get(queue)) is not None:
                if not group.is_broken:
                    return group
                await self._groups.pop(queue).close()
            await self._make_topics([queue])
            group = Group(self._place, queue, self._cluster, self._refuse)
            await group.open()
            self._groups[queue] = group
        await group.joined(JOIN_SECONDS_MAX)
        return group

    def _records(self, message: Message) -> list[Outgoing]:
        topics = [self._place.topic_of(queue) for queue in self._queues_of_type.get(message.type, ())]
        if self._place.facts_topic:
            topics.append(self._place.facts_topic)
        body = to_cloud_event(message) if topics else {}
        return [_record(topic, message, body) for topic in topics]

    def _lent(self, delivery: Delivery) -> Waiting | None:
        group = self._groups.get(delivery.queue)
        partition, offset, token = cast("tuple[int, int, int]", delivery.receipt)
        return group.backlog.lent(partition, offset, token) if group else None

    async def _refuse(self, queue: str, value: bytes) -> None:
        """Put away what somebody else wrote into our topic, for an operator to look at."""
        body: dict[str, Json] = {"unreadable": value.decode(errors="replace").replace("\x00", "")}
        delivery = Delivery(queue, body, _NOBODY, self._make_id(), _NOBODY, attempts=1, receipt=())
        await self._put_away(delivery, "it is not a message of Fullhouse")

    async def _put_away(self, delivery: Delivery, reason: str) -> None:
        try:
            await put_away(self._pool, self._make_id, delivery, reason)
        except Unavailable as lost:
            raise BrokerUnavailable("the table of dead letters cannot be reached", retry_after_seconds=1) from lost


def _record(topic: str, message: Message, body: Mapping[str, Json]) -> Outgoing:
    value = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Outgoing(topic, str(message.key).encode(), value.encode())


def _delivery(queue: str, entry: Waiting) -> Delivery:
    return Delivery(
        queue=queue,
        body=entry.body,
        organization_id=entry.message.organization_id,
        message_id=entry.message.message_id,
        key=entry.message.key,
        attempts=entry.attempts,
        receipt=(entry.partition, entry.offset, entry.token),
    )
