"""One consumer of one queue: a member of the queue's group that fetches ahead, lends, and commits what is finished."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress

from fullhouse.core.errors import Unavailable
from fullhouse.infra.brokers.kafka_backlog import Backlog, Progress, Waiting, read_record
from fullhouse.infra.brokers.kafka_client import (
    REVOKE_SECONDS_MAX,
    ConsumerClient,
    KafkaError,
    OffsetAndMetadata,
    OffsetMetadataTooLargeError,
    Rebalanced,
    Record,
    TopicPartition,
    broker_errors,
    lost_its_group,
    make_consumer,
    stop_consumer,
)
from fullhouse.infra.brokers.kafka_cluster import Cluster
from fullhouse.infra.brokers.kafka_url import KafkaPlace
from fullhouse.infra.brokers.port import BrokerUnavailable
from fullhouse.infra.telemetry import get_log

AHEAD_COUNT_MAX = 1_000
"""Unfinished messages of one partition that are fetched at most; then it is paused until half are finished."""

CONFIRM_SECONDS_MAX = 10.0
"""How long who finished a message waits for the commit."""

TIDY_SECONDS = 60.0
"""How often finished records are deleted from the topic."""

_FETCH_MS = 500
_FETCH_COUNT_MAX = 500
_CLOSE_SECONDS_MAX = 5.0
_AGAIN_SECONDS = 0.2

_log = get_log("fullhouse.infra.kafka")

Refuse = Callable[[str, bytes], Awaitable[None]]
"""Puts away what is no message, under the name of its queue."""


class Group:
    """A member of the group of one queue. It joins when it is opened, and leaves when it is closed."""

    def __init__(self, place: KafkaPlace, queue: str, cluster: Cluster, refuse: Refuse) -> None:
        """Take what it needs; ``open`` joins. ``backlog`` may be asked what is lent."""
        self._place = place
        self._queue = queue
        self._topic = place.topic_of(queue)
        self._cluster = cluster
        self._refuse = refuse
        self.backlog = Backlog()
        self._consumer: ConsumerClient = make_consumer(place, self._topic)
        self._tasks: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()
        self._changed = asyncio.Event()
        self._assigned = asyncio.Event()
        self._assignments = 0
        self._closing = False
        self._broken = False
        self._text_fits = True
        self._waiters: list[asyncio.Future[None]] = []
        self._tidied: dict[int, int] = {}
        self._clock = asyncio.get_running_loop().time
        self._tidy_at = self._clock() + TIDY_SECONDS

    async def open(self) -> None:
        """Connect and join. Raises ``BrokerUnavailable``; the group is then closed."""
        try:
            with broker_errors():
                await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        self._consumer.subscribe([self._topic], listener=Rebalanced(self._on_revoked, self._on_assigned))
        self._tasks = [
            asyncio.create_task(self._feed(), name=f"kafka-feed:{self._queue}"),
            asyncio.create_task(self._commit_changes(), name=f"kafka-commit:{self._queue}"),
        ]

    @property
    def is_broken(self) -> bool:
        """Whether something ended that should not have: this consumer must be closed, and another opened."""
        return self._broken or any(task.done() for task in self._tasks) or lost_its_group(self._consumer)

    async def joined(self, seconds_max: float) -> None:
        """Wait until partitions were dealt out, but no longer than that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                await self._assigned.wait()

    def take(self, count_max: int, lease_seconds: float) -> list[Waiting]:
        """Lend what is due. Nothing while partitions are dealt out anew."""
        self._news.clear()
        if not self._assigned.is_set():
            return []
        taken = self.backlog.take(count_max, self._clock(), lease_seconds)
        if taken:
            self._changed.set()
        return taken

    async def wait(self, seconds_max: float) -> None:
        """Return when something came, was finished or became due, or after that many seconds."""
        due_at = self.backlog.due_at() if self._assigned.is_set() else None
        seconds = seconds_max if due_at is None else min(seconds_max, max(0.0, due_at - self._clock()))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    def extend(self, entry: Waiting, lease_seconds: float) -> None:
        """Prolong a lease from now."""
        self.backlog.extend(entry, self._clock() + lease_seconds)

    def give_back(self, entry: Waiting, delay_seconds: float) -> None:
        """End a lease; the message is due after the delay."""
        self.backlog.give_back(entry, self._clock() + delay_seconds)
        self._news.set()

    async def finish(self, entries: Sequence[Waiting]) -> None:
        """Remove messages, and return when that is committed. Raises ``BrokerUnavailable`` if it is not, for now."""
        for entry in entries:
            self.backlog.finish(entry)
            self._resume(entry.partition)
        self._news.set()
        await self._committed()

    async def close(self) -> None:
        """Commit what is finished, and leave the group, so that others go on at once."""
        self._closing = True
        self._assigned.clear()
        self._news.set()
        if self._tasks and not self._tasks[1].done():
            with suppress(BrokerUnavailable, TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS_MAX):
                    await self._committed()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await stop_consumer(self._consumer, _CLOSE_SECONDS_MAX)

    async def _feed(self) -> None:
        """Fetch ahead, for ever."""
        while True:
            assignments = self._assignments
            try:
                fetched = await self._consumer.getmany(timeout_ms=_FETCH_MS, max_records=_FETCH_COUNT_MAX)
            except KafkaError as error:
                _log.warning("kafka_fetch_failed", queue=self._queue, error=str(error))
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            await self._assigned.wait()
            for partition, records in fetched.items():
                if partition.partition not in self.backlog.partitions:
                    continue
                if assignments != self._assignments:
                    # Fetched for what was assigned before, or before we knew where to begin: fetch it again.
                    self._consumer.seek(partition, self.backlog.next_offset(partition.partition))
                    continue
                await self._enter(partition, records)

    async def _enter(self, partition: TopicPartition, records: Sequence[Record]) -> None:
        number = partition.partition
        assignments = self._assignments
        for record in records:
            if record.offset < self.backlog.next_offset(number):
                continue
            if self.backlog.is_done(number, record.offset):
                self.backlog.skip(number, record.offset)
            elif (entry := read_record(number, record.offset, record.value, self._clock())) is not None:
                self.backlog.enter(entry)
            else:
                await self._put_away(record)
                if assignments != self._assignments:
                    return
                self.backlog.skip(number, record.offset)
        if self.backlog.count(number) >= AHEAD_COUNT_MAX:
            self._consumer.pause(partition)
        self._news.set()
        self._changed.set()

    async def _put_away(self, record: Record) -> None:
        while True:
            try:
                await self._refuse(self._queue, record.value or b"")
            except Unavailable as error:
                _log.warning("kafka_record_not_put_away", queue=self._queue, error=str(error))
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                return

    def _resume(self, number: int) -> None:
        partition = TopicPartition(self._topic, number)
        if self.backlog.count(number) < AHEAD_COUNT_MAX // 2 and partition in self._consumer.paused():
            self._consumer.resume(partition)

    async def _committed(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._changed.set()
        try:
            async with asyncio.timeout(CONFIRM_SECONDS_MAX):
                await waiter
        except TimeoutError as late:
            raise BrokerUnavailable("Kafka did not confirm the commit", retry_after_seconds=1) from late

    async def _commit_changes(self) -> None:
        """Commit whatever changed, one commit at a time: those who finish meanwhile share the next."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            waiters, self._waiters = self._waiters, []
            await self._commit()
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
            if self._clock() > self._tidy_at:
                await self._tidy()

    async def _commit(self) -> None:
        """Commit what changed, trying until it is done or the partitions are no longer ours."""
        while changed := self.backlog.changed():
            offsets = {
                TopicPartition(self._topic, number): OffsetAndMetadata(
                    progress.low, progress.write() if self._text_fits else ""
                )
                for number, progress in changed.items()
            }
            try:
                await self._consumer.commit(offsets)
            except KafkaError as error:
                _log.warning("kafka_commit_failed", queue=self._queue, error=str(error))
                if isinstance(error, OffsetMetadataTooLargeError):
                    self._text_fits = False
                elif not error.retriable:
                    # Somebody else has them, and does again what could not be committed.
                    return
                self.backlog.mark_changed(changed)
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                self._tidied |= {number: progress.low for number, progress in changed.items()}

    async def _tidy(self) -> None:
        """Delete what is finished. Kafka deletes whole files, so this costs little."""
        self._tidy_at = self._clock() + TIDY_SECONDS
        offsets, self._tidied = self._tidied, {}
        if offsets:
            try:
                await self._cluster.delete_before(self._topic, offsets)
            except BrokerUnavailable as error:
                _log.warning("kafka_not_tidied", queue=self._queue, error=str(error))

    async def _on_revoked(self) -> None:
        """Lend nothing more, wait for what is in hand, and commit it: whoever is next begins where we end."""
        self._assigned.clear()
        self._assignments += 1
        until = self._clock() + REVOKE_SECONDS_MAX
        while (
            not self._closing
            and self._clock() < until
            and (lease_until := self.backlog.in_hand_until(self._clock())) is not None
        ):
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(lease_until, until) - self._clock()):
                    await self._news.wait()
        with suppress(BrokerUnavailable):
            await self._committed()
        self.backlog.assign({})
        self._tidied = {}

    async def _on_assigned(self, partitions: Collection[int]) -> None:
        """Begin where the group has come to."""
        while not self._closing:
            try:
                progress = await self._cluster.load_progress(self._topic, partitions) if partitions else {}
            except BrokerUnavailable as error:
                _log.warning("kafka_progress_unknown", queue=self._queue, error=str(error))
                await asyncio.sleep(_AGAIN_SECONDS)
            except Exception:
                self._broken = True
                raise
            else:
                self._begin(progress)
                return

    def _begin(self, progress: Mapping[int, Progress]) -> None:
        self.backlog.assign(progress)
        for number, known in progress.items():
            self._consumer.seek(TopicPartition(self._topic, number), known.low)
        self._assignments += 1
        self._assigned.set()
        self._news.set()
