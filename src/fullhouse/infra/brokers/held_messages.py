"""Messages that a process holds for its consumers, lent to them with leases, one of each key at a time.

For brokers that push: the broker knows which process has a message, and the process knows which of its consumers.
Times are seconds of any clock that does not go back; the caller reads it.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from uuid import UUID

from fullhouse.core.json import Json
from fullhouse.core.message import Message

_READY = 0.0


@dataclass(slots=True, eq=False)
class Held:
    """A message in the process, lent or waiting."""

    tag: int
    """Its number in the order in which the broker handed it to the process."""
    body: Mapping[str, Json]
    message: Message
    attempts: int
    """How often it was handed out, by this process and, as far as the broker knows, by others."""
    token: int = 0
    """Counts the times it was lent; a borrower with an older one has lost it."""
    due_at: float = _READY
    """When it may be lent: the end of its lease, or of its delay."""


@dataclass(slots=True)
class HeldMessages:
    """What a process holds of one queue."""

    _by_tag: dict[int, Held] = field(default_factory=dict[int, Held])
    _of_key: dict[UUID, deque[Held]] = field(default_factory=dict[UUID, deque[Held]])
    _due: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """A heap of when the first messages of keys are due. Entries that no longer hold are passed over."""

    def __len__(self) -> int:
        return len(self._by_tag)

    def add(self, held: Held) -> None:
        """Take a message that the broker handed over; tags rise."""
        self._by_tag[held.tag] = held
        line = self._of_key.setdefault(held.message.key, deque())
        line.append(held)
        if len(line) == 1:
            heappush(self._due, (held.due_at, held.tag))

    def lend(self, now: float, *, count_max: int, lease_seconds: float) -> list[Held]:
        """Lend the first message of each key that is due, the earliest first."""
        lent: list[Held] = []
        while len(lent) < count_max and self._due and self._due[0][0] <= now:
            due_at, tag = heappop(self._due)
            held = self._by_tag.get(tag)
            if held is None or held.due_at != due_at:
                continue
            held.attempts += 1
            held.token += 1
            held.due_at = now + lease_seconds
            lent.append(held)
        # Only now, since a lease may be so short that it has ended already.
        for held in lent:
            heappush(self._due, (held.due_at, held.tag))
        return sorted(lent, key=lambda held: held.tag)

    def find(self, tag: int, token: int) -> Held | None:
        """Return what was lent with that token, unless it was lent again or is gone."""
        held = self._by_tag.get(tag)
        return held if held is not None and held.token == token else None

    def put_off(self, held: Held, due_at: float) -> None:
        """Let a message be lent from then on; its key waits for it."""
        held.due_at = due_at
        heappush(self._due, (due_at, held.tag))

    def remove(self, held: Held) -> None:
        """Forget a message that was dealt with; the next of its key is due."""
        if self._by_tag.pop(held.tag, None) is None:
            return
        line = self._of_key[held.message.key]
        line.remove(held)
        if line:
            heappush(self._due, (line[0].due_at, line[0].tag))
        else:
            del self._of_key[held.message.key]

    def due_at(self) -> float | None:
        """Return when the next message may be lent; None if there is none."""
        return self._due[0][0] if self._due else None

    def oldest(self) -> Held | None:
        """Return the message that has been here longest."""
        return next(iter(self._by_tag.values()), None)
