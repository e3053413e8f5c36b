"""What is asked of Kafka beside sending and receiving: topics, progress, depths and room on its disks."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import ParamSpec, TypeVar

from fullhouse.core.clock import Clock
from fullhouse.infra.brokers.kafka_backlog import Progress, read_progress
from fullhouse.infra.brokers.kafka_client import (
    AdminClient,
    ConsumerClient,
    KafkaConnectionError,
    KafkaError,
    TopicPartition,
    broker_errors,
    check_made,
    make_admin,
    make_consumer,
    new_topic,
    records_before,
)
from fullhouse.infra.brokers.kafka_url import KafkaPlace
from fullhouse.infra.brokers.port import QueueDepth

ASK_SECONDS_MAX = 10.0
"""How long one question may take."""

_READ_SECONDS_MAX = 3.0
_READ_MS = 250
_READ_COUNT_MAX = 500
_SOON_SECONDS = 0.05
_COPIES_THAT_SPARE_ONE = 3

_QUEUE_CONFIG = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
"""What nobody has dealt with never expires; what was dealt with is deleted by us."""

P = ParamSpec("P")
T = TypeVar("T")


class Cluster:
    """One client for questions, opened when there is the first, and again after it failed."""

    def __init__(self, place: KafkaPlace, clock: Clock) -> None:
        """Take where Kafka is; ages are measured against the clock."""
        self._place = place
        self._clock = clock
        self._admin: AdminClient | None = None
        self._reader: ConsumerClient | None = None
        self._made: dict[str, int] = {}
        self._oldest: dict[TopicPartition, tuple[int, int]] = {}
        self._lock = asyncio.Lock()

    async def make_topics(self, names: Collection[str]) -> None:
        """Make the topics that are not there. One that is there keeps the partitions that it has."""
        missing = [name for name in names if name not in self._made]
        if missing:
            await self._ask(self._make, missing)

    async def load_progress(self, group: str, partitions: Collection[int]) -> dict[int, Progress]:
        """Return how far a group is in the topic of its name."""
        return await self._ask(self._progress_of, group, tuple(partitions))

    async def delete_before(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Let go of the records below these offsets."""
        await self._ask(self._delete, topic, offsets)

    async def measure(self, queues: Collection[str]) -> list[QueueDepth]:
        """Count what each queue's group has not finished, and age the oldest record of it."""
        await self.make_topics([self._place.topic_of(queue) for queue in queues])
        return [await self._ask(self._measure, queue) for queue in sorted(queues)]

    async def close(self) -> None:
        """Close the clients."""
        async with self._lock:
            await self._close()

    async def _close(self) -> None:
        admin, reader, self._admin, self._reader = self._admin, self._reader, None, None
        if admin is not None:
            await admin.close()
        if reader is not None:
            await reader.stop()

    async def _ask(self, question: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask one question at a time, again for as long as it may take while the answer is "not yet".

        After a failure the clients are opened anew: their node may be gone.
        """
        async with self._lock:
            try:
                with broker_errors():
                    async with asyncio.timeout(ASK_SECONDS_MAX):
                        while True:
                            try:
                                return await question(*args, **kwargs)
                            except KafkaError as error:
                                if not error.retriable or isinstance(error, KafkaConnectionError):
                                    raise
                            await asyncio.sleep(_SOON_SECONDS)
            except BaseException:
                await self._close()
                raise

    async def _open_admin(self) -> AdminClient:
        if self._admin is None:
            admin = make_admin(self._place)
            try:
                await admin.start()
            except BaseException:
                await admin.close()
                raise
            self._admin = admin
        return self._admin

    async def _open_reader(self) -> ConsumerClient:
        if self._reader is None:
            self._reader = make_consumer(self._place, None)
            await self._reader.start()
        return self._reader

    async def _make(self, names: Collection[str]) -> None:
        admin = await self._open_admin()
        copies = self._place.replication
        safe = {"min.insync.replicas": "2"} if copies and copies >= _COPIES_THAT_SPARE_ONE else {}
        configs = {name: safe if name == self._place.facts_topic else {**_QUEUE_CONFIG, **safe} for name in names}
        # Those that are there already are left alone, so that no right to make topics is needed.
        missing = [name for name, partitions in (await self._partitions(names)).items() if not partitions]
        if missing:
            check_made(await admin.create_topics([new_topic(name, self._place, configs[name]) for name in missing]))
        # Who is told that a topic was made may ask a node that has not heard of it yet.
        while not all((found := await self._partitions(names)).values()):  # noqa: ASYNC110 (no node tells us)
            await asyncio.sleep(_SOON_SECONDS)
        self._made |= found

    async def _partitions(self, names: Collection[str]) -> dict[str, int]:
        told = await (await self._open_admin()).describe_topics(list(names))
        counts = {topic["topic"]: len(topic["partitions"]) for topic in told if not topic["error_code"]}
        return {name: counts.get(name, 0) for name in names}

    async def _progress_of(self, group: str, partitions: Collection[int]) -> dict[int, Progress]:
        topic_partitions = [TopicPartition(group, number) for number in partitions]
        admin, reader = await self._open_admin(), await self._open_reader()
        told = await admin.list_consumer_group_offsets(group, partitions=topic_partitions)
        first = await reader.beginning_offsets(topic_partitions)
        progress: dict[int, Progress] = {}
        for one in topic_partitions:
            committed = told.get(one)
            # What lies below the beginning was deleted, so it was done, or an operator wanted it gone.
            if committed is None or committed.offset < first[one]:
                progress[one.partition] = Progress(first[one])
            else:
                progress[one.partition] = read_progress(committed.offset, committed.metadata or "")
        return progress

    async def _delete(self, topic: str, offsets: Mapping[int, int]) -> None:
        admin = await self._open_admin()
        await admin.delete_records(
            {TopicPartition(topic, number): records_before(offset) for number, offset in offsets.items()}
        )

    async def _measure(self, queue: str) -> QueueDepth:
        topic = self._place.topic_of(queue)
        progress = await self._progress_of(topic, range(self._made[topic]))
        ends = await (await self._open_reader()).end_offsets(TopicPartition(topic, number) for number in progress)
        waiting = {one: progress[one.partition] for one, end in ends.items() if progress[one.partition].low < end}
        count = sum(max(0, ends[one] - known.low - known.done_count()) for one, known in waiting.items())
        if not count:
            return QueueDepth(queue, 0, 0.0)
        oldest = await self._read_times({one: known.low for one, known in waiting.items()})
        age = self._clock().timestamp() - min(oldest) / 1000 if oldest else 0.0
        return QueueDepth(queue, count, max(0.0, age))

    async def _read_times(self, offsets: Mapping[TopicPartition, int]) -> list[int]:
        """Return when the records at these offsets were written, in milliseconds; those read before are remembered."""
        reader = await self._open_reader()
        wanted = {one: offset for one, offset in offsets.items() if self._oldest.get(one, (-1, 0))[0] != offset}
        reader.assign(list(wanted))
        for one, offset in wanted.items():
            reader.seek(one, offset)
        clock = asyncio.get_running_loop().time
        until = clock() + _READ_SECONDS_MAX
        while wanted and clock() < until:
            for one, records in (await reader.getmany(timeout_ms=_READ_MS, max_records=_READ_COUNT_MAX)).items():
                reader.pause(one)
                if (offset := wanted.pop(one, None)) is not None:
                    self._oldest[one] = (offset, records[0].timestamp)
        return [self._oldest[one][1] for one, offset in offsets.items() if self._oldest.get(one, (-1, 0))[0] == offset]
