"""The clients of Kafka, opened as this product wants them, with the parts of them that it uses.

aiokafka says few of its types; the protocols here are what is used of it, and the only place that knows its inside.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol, cast

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    OffsetMetadataTooLargeError,
    TopicAlreadyExistsError,
    for_code,
)
from aiokafka.structs import OffsetAndMetadata

from fullhouse.infra.brokers.kafka_url import KafkaPlace
from fullhouse.infra.brokers.port import BrokerUnavailable

__all__ = [
    "KafkaConnectionError",
    "KafkaError",
    "MessageSizeTooLargeError",
    "OffsetAndMetadata",
    "OffsetMetadataTooLargeError",
    "TopicPartition",
]

MESSAGE_BYTES_MAX = 900_000
"""Below what a node takes by default, so that it never refuses a whole batch for one message."""

SESSION_MS = 10_000
"""After this long without a sign of life, the partitions of a consumer are given to others."""

REVOKE_SECONDS_MAX = 30.0
"""How long a rebalance waits for the messages that this consumer has in hand."""

_HEARTBEAT_MS = 1_000
_ANSWER_MS_MAX = 15_000
_ABANDON_SECONDS_MAX = 5.0
_AGAIN_MS = 250
_SAID_AGAIN_SECONDS = 10.0
_TALKATIVE = (
    "aiokafka.client",
    "aiokafka.conn",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.producer.sender",
)


class Record(Protocol):
    """What was fetched of a topic."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Client(Protocol):
    """What all clients have."""

    async def start(self) -> None: ...


class ProducerClient(Client, Protocol):
    """What is used of a producer."""

    async def send(self, topic: str, value: bytes, key: bytes) -> asyncio.Future[object]: ...
    async def stop(self) -> None: ...


class ConsumerClient(Client, Protocol):
    """What is used of a consumer."""

    async def stop(self) -> None: ...
    def assign(self, partitions: list[TopicPartition]) -> None: ...
    def assignment(self) -> frozenset[TopicPartition]: ...
    def subscribe(self, topics: Sequence[str], *, listener: ConsumerRebalanceListener) -> None: ...
    def seek(self, partition: TopicPartition, offset: int) -> None: ...
    def pause(self, *partitions: TopicPartition) -> None: ...
    def resume(self, *partitions: TopicPartition) -> None: ...
    def paused(self) -> set[TopicPartition]: ...
    async def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None: ...
    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]: ...
    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]: ...
    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]: ...


class AdminClient(Client, Protocol):
    """What is used of the client that manages topics and groups."""

    async def close(self) -> None: ...
    async def create_topics(self, new_topics: list[NewTopic]) -> Any: ...  # noqa: ANN401
    async def describe_topics(self, topics: list[str]) -> list[dict[str, Any]]: ...
    async def list_consumer_group_offsets(
        self, group_id: str, *, partitions: list[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]: ...
    async def delete_records(self, records_to_delete: Mapping[TopicPartition, RecordsToDelete]) -> object: ...


class _Seldom(logging.Filter):
    """Lets each sentence pass once in ten seconds: while Kafka is away, every client says the same at every try."""

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        sentence = str(record.msg)
        if record.created - self._said_at.get(sentence, 0.0) < _SAID_AGAIN_SECONDS:
            return False
        self._said_at[sentence] = record.created
        return True


for _name in _TALKATIVE:
    logging.getLogger(_name).addFilter(_Seldom())


class Rebalanced(ConsumerRebalanceListener):
    """Tells a consumer what it no longer has, and what it has."""

    def __init__(
        self, on_revoked: Callable[[], Awaitable[None]], on_assigned: Callable[[Collection[int]], Awaitable[None]]
    ) -> None:
        """Take whom to tell."""
        self._on_revoked = on_revoked
        self._on_assigned = on_assigned

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride] (its caller awaits)
        self, revoked: Collection[TopicPartition]
    ) -> None:
        """Tell that all is taken back before it is dealt out again."""
        if revoked:
            await self._on_revoked()

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride] (the same)
        self, assigned: Collection[TopicPartition]
    ) -> None:
        """Tell what is ours until the next time."""
        await self._on_assigned([partition.partition for partition in assigned])


def make_producer(place: KafkaPlace) -> ProducerClient:
    """Make a producer that waits for all copies and writes nothing twice while it lives."""
    return cast(
        "ProducerClient",
        AIOKafkaProducer(
            **place.client_options(),
            client_id="fullhouse",
            acks="all",
            enable_idempotence=True,
            max_batch_size=131_072,
            max_request_size=MESSAGE_BYTES_MAX,
            request_timeout_ms=_ANSWER_MS_MAX,
            retry_backoff_ms=_AGAIN_MS,
        ),
    )


def make_consumer(place: KafkaPlace, group: str | None) -> ConsumerClient:
    """Make a consumer that commits nothing by itself. Without a group it reads what it is told to."""
    return cast(
        "ConsumerClient",
        AIOKafkaConsumer(
            **place.client_options(),
            client_id="fullhouse",
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=_HEARTBEAT_MS,
            rebalance_timeout_ms=int(1.5 * REVOKE_SECONDS_MAX * 1000),
            request_timeout_ms=_ANSWER_MS_MAX,
            retry_backoff_ms=_AGAIN_MS,
        ),
    )


def make_admin(place: KafkaPlace) -> AdminClient:
    """Make a client that manages topics and groups."""
    admin = AIOKafkaAdminClient(**place.client_options(), client_id="fullhouse", request_timeout_ms=_ANSWER_MS_MAX)
    return cast("AdminClient", admin)


def new_topic(name: str, place: KafkaPlace, configs: Mapping[str, str]) -> NewTopic:
    """Describe a topic to make. An empty list of copies lets the cluster's default decide how many there are."""
    if place.replication is None:
        return NewTopic(name, place.partitions, -1, {}, dict(configs))
    return NewTopic(name, place.partitions, place.replication, None, dict(configs))


def check_made(answer: Any) -> None:  # noqa: ANN401 (its shape depends on the version that both sides speak)
    """Raise the error of a topic that could not be made; one that is there already is fine."""
    for name, code, *rest in answer.topic_errors:
        error = cast("type[KafkaError]", for_code(code))
        if code and error is not TopicAlreadyExistsError:
            raise error(f"{name}: {rest[0] if rest and rest[0] else error.__name__}")


def records_before(offset: int) -> RecordsToDelete:
    """Describe the records that are to go."""
    return RecordsToDelete(offset)


def lost_its_group(consumer: ConsumerClient) -> bool:
    """Say whether the consumer has stopped looking after its membership, which it tells nobody."""
    coordinator = cast("Any", consumer)._coordinator  # noqa: SLF001 (there is no public way)
    return bool(coordinator._coordination_task.done())  # noqa: SLF001 (the same)


async def stop_consumer(consumer: ConsumerClient, seconds_max: float) -> None:
    """Leave the group and close the connections, whether or not Kafka can be reached.

    While it cannot, the client's own ``stop`` cancels a fetch that waits for its next try, lets that cancellation out,
    and leaves its connections. So it runs as a task of its own, and what it left is done here.
    """
    stopping = asyncio.create_task(consumer.stop())
    await asyncio.wait({stopping}, timeout=seconds_max)
    if not stopping.done() or stopping.cancelled() or stopping.exception() is not None:
        stopping.cancel()
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(seconds_max):
                await cast("Any", consumer)._client.close()  # noqa: SLF001 (there is no public way)


async def abandon(producer: ProducerClient) -> None:
    """End a producer at once: nothing that it still holds may be sent behind what comes after it.

    Its own ``stop`` would first send what it holds. So its sender is stopped and its connections are cut before.
    """
    inside = cast("Any", producer)
    sender = inside._sender.sender_task  # noqa: SLF001 (there is no public way)
    with suppress(TimeoutError):
        async with asyncio.timeout(_ABANDON_SECONDS_MAX):
            if sender is not None:
                sender.cancel()
            await inside.client.close()
            inside._message_accumulator.fail_all(KafkaError("given up"))  # noqa: SLF001
            await producer.stop()


@contextmanager
def broker_errors() -> Generator[None]:
    """Turn what the clients raise when they cannot go on into ``BrokerUnavailable``."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as lost:
        raise BrokerUnavailable(str(lost) or type(lost).__name__, retry_after_seconds=1) from lost
