"""One queue of SQS as one process sees it: what it has in hand, and what it keeps back.

SQS lends several messages of a key at once, and lends no others of the key until these are gone. Only the first may
be worked on, so the rest are kept back here, and go out as soon as the one before is dealt with.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from fullhouse.infra.brokers.sqs_place import Lent

_SPARED_MAX = 10_000


@dataclass(slots=True)
class Line:
    """A queue, its address, and the messages on loan."""

    queue: str
    url: str
    ordered: bool
    count_max: int = 1
    lease_seconds: int = 30
    """What was last asked for: what a long poll asks for again."""
    in_hand: dict[str, Lent] = field(default_factory=dict[str, Lent])
    """By handle: what consumers work on."""
    kept: list[Lent] = field(default_factory=list[Lent])
    poll: asyncio.Task[None] | None = None
    spared: Counter[str] = field(default_factory=Counter[str])
    """How often a message was received and given back without anybody working on it."""

    @property
    def is_polling(self) -> bool:
        """Whether a long poll is under way."""
        return self.poll is not None and not self.poll.done()

    def keep(self, lent: Sequence[Lent]) -> None:
        """Take what SQS has lent. What comes again was lost to whoever had it in hand."""
        again = {one.sqs_id for one in lent}
        self.in_hand = {handle: one for handle, one in self.in_hand.items() if one.sqs_id not in again}
        self.kept = [one for one in self.kept if one.sqs_id not in again] + list(lent)

    def ready(self, now: float) -> list[Lent]:
        """Return what may go out: the first of each key that is not in hand. What was kept too long is forgotten."""
        for one in self.kept:
            if one.until <= now:
                self.spare(one)
        self.kept = [one for one in self.kept if one.until > now]
        if not self.ordered:
            return list(self.kept)
        busy = {one.message.key for one in self.in_hand.values() if one.until > now}
        found: list[Lent] = []
        for one in self.kept:
            if one.message.key not in busy:
                busy.add(one.message.key)
                found.append(one)
        return found

    def held(self, handle: str, now: float) -> Lent | None:
        """Return what a consumer has in hand; None if its loan has ended."""
        one = self.in_hand.get(handle)
        if one is not None and one.until <= now:
            del self.in_hand[handle]
            return None
        return one

    def drop_key(self, key: UUID) -> list[Lent]:
        """Keep nothing of a key any more, and return what was kept."""
        dropped = [one for one in self.kept if one.message.key == key]
        self.kept = [one for one in self.kept if one.message.key != key]
        for one in dropped:
            self.spare(one)
        return dropped

    def spare(self, one: Lent) -> None:
        """Note that this loan was no try."""
        if len(self.spared) >= _SPARED_MAX:
            self.spared.clear()
        self.spared[one.sqs_id] += 1
