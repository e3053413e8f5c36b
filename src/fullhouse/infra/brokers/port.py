"""The port that every broker file implements, with the same functions in the same order.

A queue belongs to one consumer group and wants some message types. Delivery is at least once; messages of one key
are handed out in the order of their publishing, the next only when the one before has been acknowledged or put away.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from fullhouse.core.errors import Unavailable
from fullhouse.core.json import Json
from fullhouse.core.message import Message
from fullhouse.infra.postgres import Connection


class BrokerUnavailable(Unavailable):
    """The broker cannot be reached, or did not confirm; whether it took the messages is not known."""

    code = "broker_unavailable"
    title = "The broker cannot be reached for the moment."


class MessageRefused(Exception):
    """The broker will not take a message, however often it is tried."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message lent to a consumer until its lease ends."""

    queue: str
    body: Mapping[str, Json]
    """The CloudEvent as it was published."""
    organization_id: UUID
    message_id: UUID
    key: UUID
    attempts: int
    """How often it was handed out, this time included."""
    receipt: tuple[object, ...]
    """What the broker needs to find it again; opaque to the consumer."""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How much waits in a queue, and how long its oldest message has waited."""

    queue: str
    count: int
    oldest_seconds: float | None
    """None where the broker does not tell."""


FindUnheard = Callable[[Connection, Sequence[Message]], Awaitable[frozenset[tuple[str, UUID]]]]
"""Finds which queues would only take which of these messages out again: names of queues, with ids of messages."""


class Broker(Protocol):
    """What the relay, the consumers and the operator need. All but ``declare`` raise ``BrokerUnavailable``."""

    async def declare(self, queues: Mapping[str, Collection[str]]) -> None:
        """Make the queues and bind each to the message types that it wants. Done at every start, by all processes."""
        ...

    async def publish(self, messages: Sequence[Message]) -> None:
        """Hand messages, in this order, to every queue that wants their type; return when they are safe there.

        Raises ``MessageRefused`` if one of them can never be taken; some of the others may then have been.
        """
        ...

    async def receive(self, queue: str, *, count_max: int, lease_seconds: float) -> list[Delivery]:
        """Take up to that many messages that are ready, each of another key, and hide them for the lease."""
        ...

    async def wait(self, queue: str, seconds_max: float) -> None:
        """Return when a queue that gave nothing may have something, or after that many seconds."""
        ...

    async def extend(self, delivery: Delivery, lease_seconds: float) -> None:
        """Keep a message hidden for that long from now, while it is being worked on; nothing if its lease was lost."""
        ...

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Remove what was dealt with. A delivery whose lease was lost meanwhile is left to who has it now."""
        ...

    async def retry_later(self, delivery: Delivery, delay_seconds: float) -> None:
        """Give a message back, to be handed out after the delay; later messages of its key wait for it."""
        ...

    async def dead_letter(self, delivery: Delivery, reason: str) -> None:
        """Put a message away among the dead letters, with the reason; later messages of its key go on."""
        ...

    async def requeue(self, queue: str, body: Mapping[str, Json]) -> None:
        """Put a body at the end of one queue again, with fresh attempts: the replay of a dead letter."""
        ...

    async def depth(self) -> list[QueueDepth]:
        """Measure every declared queue, and others where the broker knows of them."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
