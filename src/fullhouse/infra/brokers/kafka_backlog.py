"""What one consumer has fetched of a Kafka queue and not finished: who may have what, and how far each partition is.

Pure: it is told the time, in seconds of any clock that only goes forward. Kafka remembers one offset for each
partition of a group, below which all is done. Messages of other keys overtake one that waits, so beside the offset
there is a text, committed with it: which messages below the furthest finished one still wait, and how often each was
handed out. A consumer that takes over goes on from there.
"""

import json
from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any
from uuid import UUID

from fullhouse.core.message import Message
from fullhouse.infra.brokers.cloud_events import NotOurCloudEvent, from_cloud_event

TEXT_LENGTH_MAX = 4_000
"""Kafka takes texts of 4,096 bytes beside an offset, unless its operator changed that."""

_ATTEMPTS_IN_TEXT_MAX = 100


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a partition is: all below ``low`` is done, and what is below ``edge`` but for ``waiting``."""

    low: int
    edge: int = 0
    waiting: frozenset[int] = frozenset()
    attempts: Mapping[int, int] = field(default_factory=dict[int, int])

    def done_count(self) -> int:
        """Count what is done and not below ``low``."""
        return max(0, self.edge - self.low - len(self.waiting))

    def is_done(self, offset: int) -> bool:
        """Say whether this message was finished."""
        return offset < self.low or (offset < self.edge and offset not in self.waiting)

    def write(self) -> str:
        """Write what stands beside the offset; what does not fit is forgotten, and so comes again."""
        waiting, edge = sorted(self.waiting), max(self.edge, self.low)
        attempts = sorted(self.attempts.items())[:_ATTEMPTS_IN_TEXT_MAX]
        while True:
            text = _write(self.low, edge, waiting, attempts)
            if len(text) <= TEXT_LENGTH_MAX:
                return text
            if not waiting:
                return ""
            edge = waiting[len(waiting) // 2]
            waiting = waiting[: len(waiting) // 2]


def _write(low: int, edge: int, waiting: list[int], attempts: list[tuple[int, int]]) -> str:
    if edge == low and not attempts:
        return ""
    told = {
        "edge": edge - low,
        "waiting": [offset - low for offset in waiting],
        "attempts": {str(offset - low): number for offset, number in attempts},
    }
    return json.dumps(told, separators=(",", ":"))


def read_progress(low: int, text: str) -> Progress:
    """Read what stood beside an offset; a text that is none of ours means that nothing above the offset is done."""
    try:
        told = json.loads(text)
        return Progress(
            low=low,
            edge=low + int(told["edge"]),
            waiting=frozenset(low + int(offset) for offset in told["waiting"]),
            attempts={low + int(offset): int(number) for offset, number in told["attempts"].items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return Progress(low)


@dataclass(slots=True, eq=False)
class Waiting:
    """A fetched message that is not finished."""

    partition: int
    offset: int
    message: Message
    body: Mapping[str, Any]
    attempts: int
    due_at: float
    """When it may be handed out; while it is lent, when its lease ends."""
    token: int | None = None
    """Tells who has it on lease from who had it before."""
    stamp: int = 0

    @property
    def line(self) -> tuple[int, UUID]:
        """The line in which it stands: the messages of its key."""
        return self.partition, self.message.key


def read_record(partition: int, offset: int, value: bytes | None, now: float) -> Waiting | None:
    """Read a record as a message that is due; None if it is no message of ours."""
    try:
        body = json.loads(value or b"")
        message = from_cloud_event(body)
    except (ValueError, NotOurCloudEvent):
        return None
    return Waiting(partition, offset, message, body, attempts=0, due_at=now)


@dataclass(slots=True)
class _Partition:
    progress: Progress
    next_offset: int
    edge: int
    waiting: dict[int, Waiting] = field(default_factory=dict[int, Waiting])
    ids: set[UUID] = field(default_factory=set[UUID])
    dirty: bool = False


class Backlog:
    """The fetched messages of all partitions that this consumer has."""

    def __init__(self) -> None:
        """Begin without partitions."""
        self._partitions: dict[int, _Partition] = {}
        self._lines: defaultdict[tuple[int, UUID], deque[Waiting]] = defaultdict(deque)
        self._due: list[tuple[float, int, Waiting]] = []
        self._numbers = count(1)

    def assign(self, progress: Mapping[int, Progress]) -> None:
        """Forget everything, and begin with these partitions where they were left."""
        self._lines.clear()
        self._due.clear()
        self._partitions = {
            partition: _Partition(known, known.low, max(known.edge, known.low)) for partition, known in progress.items()
        }

    @property
    def partitions(self) -> Collection[int]:
        """The partitions that this consumer has."""
        return self._partitions.keys()

    def next_offset(self, partition: int) -> int:
        """Return the offset that is expected next."""
        return self._partitions[partition].next_offset

    def count(self, partition: int) -> int:
        """Count the messages of a partition that are not finished."""
        return len(self._partitions[partition].waiting)

    def skip(self, partition: int, offset: int) -> None:
        """Count a record as done that is none of our messages, or that was done before."""
        part = self._partitions[partition]
        part.next_offset = offset + 1
        self._finished(part, offset)

    def is_done(self, partition: int, offset: int) -> bool:
        """Say whether a record that comes now was finished before, maybe by another consumer."""
        return self._partitions[partition].progress.is_done(offset)

    def enter(self, entry: Waiting) -> None:
        """Put a new message at the end of its key's line. One that stands there already is not entered again."""
        part = self._partitions[entry.partition]
        if entry.message.message_id in part.ids:
            self.skip(entry.partition, entry.offset)
            return
        part.next_offset = entry.offset + 1
        entry.attempts = part.progress.attempts.get(entry.offset, 0)
        part.waiting[entry.offset] = entry
        part.ids.add(entry.message.message_id)
        line = self._lines[entry.line]
        line.append(entry)
        if line[0] is entry:
            self._queue(entry)

    def take(self, count_max: int, now: float, lease_seconds: float) -> list[Waiting]:
        """Lend up to that many messages that are due, the first of each line."""
        taken: list[Waiting] = []
        while len(taken) < count_max and (due_at := self.due_at()) is not None and due_at <= now:
            entry = heappop(self._due)[2]
            entry.attempts += 1
            entry.token = next(self._numbers)
            self._partitions[entry.partition].dirty = True
            taken.append(entry)
        # Only now, so that a lease of no length is not lent twice in one go.
        for entry in taken:
            self._move(entry, now + lease_seconds)
        return taken

    def due_at(self) -> float | None:
        """Return when the next message may be handed out."""
        while self._due and self._due[0][1] != self._due[0][2].stamp:
            heappop(self._due)
        return self._due[0][0] if self._due else None

    def lent(self, partition: int, offset: int, token: int) -> Waiting | None:
        """Return the message that was lent under this token, unless somebody else has had it since."""
        part = self._partitions.get(partition)
        entry = part.waiting.get(offset) if part else None
        return entry if entry is not None and entry.token == token else None

    def extend(self, entry: Waiting, until: float) -> None:
        """Prolong a lease."""
        self._move(entry, until)

    def give_back(self, entry: Waiting, due_at: float) -> None:
        """End a lease; the message is due again at that time, and its line waits for it."""
        entry.token = None
        self._move(entry, due_at)

    def finish(self, entry: Waiting) -> None:
        """Remove a message; the next of its line may go."""
        part = self._partitions[entry.partition]
        del part.waiting[entry.offset]
        part.ids.discard(entry.message.message_id)
        entry.stamp = -1
        self._finished(part, entry.offset)
        line = self._lines[entry.line]
        line.popleft()
        if line:
            self._queue(line[0])
        else:
            del self._lines[entry.line]

    def in_hand_until(self, now: float) -> float | None:
        """Return when the last lease that runs ends, or None if none runs."""
        leases = (entry.due_at for entry in self._entries() if entry.token is not None and entry.due_at > now)
        return max(leases, default=None)

    def changed(self) -> dict[int, Progress]:
        """Return how far the partitions are that moved since this was last asked."""
        moved = {number: _progress(part) for number, part in self._partitions.items() if part.dirty}
        for number in moved:
            self._partitions[number].dirty = False
        return moved

    def mark_changed(self, partitions: Collection[int]) -> None:
        """Ask for these again: they could not be told."""
        for number in self._partitions.keys() & set(partitions):
            self._partitions[number].dirty = True

    def _entries(self) -> Iterator[Waiting]:
        for part in self._partitions.values():
            yield from part.waiting.values()

    def _finished(self, part: _Partition, offset: int) -> None:
        part.edge = max(part.edge, offset + 1)
        part.dirty = True

    def _move(self, entry: Waiting, due_at: float) -> None:
        entry.due_at = due_at
        self._queue(entry)

    def _queue(self, entry: Waiting) -> None:
        entry.stamp = next(self._numbers)
        heappush(self._due, (entry.due_at, entry.stamp, entry))


def _progress(part: _Partition) -> Progress:
    # What was not fetched yet is known from the progress that the partition came with.
    unfetched = {offset for offset in part.progress.waiting if offset >= part.next_offset}
    waiting = {offset for offset in part.waiting if offset < part.edge} | unfetched
    low = min(min(part.waiting, default=part.edge), min(unfetched, default=part.edge))
    attempts = {offset: entry.attempts for offset, entry in part.waiting.items() if entry.attempts}
    attempts |= {offset: n for offset, n in part.progress.attempts.items() if offset >= part.next_offset}
    return Progress(low, part.edge, frozenset(waiting), attempts)
