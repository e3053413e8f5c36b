"""One connection to RabbitMQ with what hangs on it: queues, exchanges, and the messages that were handed over."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from fullhouse.core.errors import DomainError
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.infra.brokers.cloud_events import NotOurCloudEvent, from_cloud_event
from fullhouse.infra.brokers.dead_letters import put_away
from fullhouse.infra.brokers.held_messages import Held, HeldMessages
from fullhouse.infra.brokers.port import Delivery
from fullhouse.infra.postgres import Pool
from fullhouse.infra.telemetry import get_log

PREFETCH_COUNT = 256
"""How many messages of a queue a process holds at most, those that wait for their next try included."""

DELIVERY_LIMIT = 1_000
"""How often RabbitMQ hands a message to processes that end before they settle it; then it is a dead letter."""

CONNECT_SECONDS_MAX = 5.0
_CLOSE_SECONDS_MAX = 2.0
_UNREADABLE_COUNT_MAX = 100_000
_PAUSE_SECONDS = 1.0

_log = get_log("fullhouse.brokers.rabbitmq")


@dataclass(frozen=True, slots=True)
class Topology:
    """The names of an installation's parts on the server, and the types that each queue wants."""

    prefix: str
    queues: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    def name(self, queue: str) -> str:
        """Return the name of a queue on the server."""
        return f"{self.prefix}.{queue}"

    def queue(self, name: str) -> str:
        """Return the queue of a name on the server."""
        return name.removeprefix(f"{self.prefix}.")

    @property
    def messages(self) -> str:
        """The topic exchange that all messages are published to; their type is the routing key."""
        return f"{self.prefix}.messages"

    @property
    def dead_letters(self) -> str:
        """The exchange, and the queue, for what RabbitMQ takes out of a queue by itself."""
        return f"{self.prefix}.dead-letters"

    @property
    def unreadable(self) -> str:
        """The queue for what is no message of ours, so that it has no place in the table of dead letters."""
        return f"{self.prefix}.unreadable"


@dataclass(slots=True)
class Line:
    """What this process holds of one queue."""

    held: HeldMessages = field(default_factory=HeldMessages)
    envelopes: dict[int, AbstractIncomingMessage] = field(default_factory=dict[int, AbstractIncomingMessage])
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def on_message(self, envelope: AbstractIncomingMessage) -> None:
        """Hold a message that was handed over; one that is not ours goes to the dead-letter exchange."""
        body = _read(envelope.body)
        if body is None:
            await envelope.reject(requeue=False)
            return
        tag = envelope.delivery_tag or 0
        self.envelopes[tag] = envelope
        earlier = cast("int", envelope.headers.get("x-delivery-count", 0))
        self.held.add(Held(tag, body, from_cloud_event(body), attempts=earlier))
        self.news.set()

    async def acknowledge(self, held: Held) -> None:
        """Tell RabbitMQ that a message was dealt with."""
        await self.envelopes.pop(held.tag).ack()
        self.held.remove(held)
        self.news.set()


class Link:
    """One connection. When anything on it breaks, it is lost as a whole and the broker opens the next."""

    def __init__(self, connection: AbstractConnection, topology: Topology, number: int) -> None:
        """Take an open connection; ``open_link`` prepares the rest."""
        self.number = number
        self.lines: dict[str, Line] = {}
        self.is_lost = False
        self.messages: AbstractExchange
        self.default: AbstractExchange
        self._connection = connection
        self._topology = topology
        self._opening_line = asyncio.Lock()
        connection.close_callbacks.add(self._on_lost)

    async def channel(self) -> AbstractChannel:
        """Open a channel; if the server closes it, the link is lost."""
        channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        channel.close_callbacks.add(self._on_lost)
        return channel

    async def line(self, queue: str) -> Line:
        """Return the line of a queue, and begin to consume it at the first time."""
        async with self._opening_line:
            if queue not in self.lines:
                line = Line()
                channel = await self.channel()
                await channel.set_qos(prefetch_count=PREFETCH_COUNT)
                declared = await channel.get_queue(self._topology.name(queue))
                await declared.consume(line.on_message)
                underlay = await channel.get_underlay_channel()
                # The server cancels a consumer whose queue was deleted; the next link makes it again.
                underlay.on_consumer_cancel_callbacks.add(self._on_cancelled)
                self.lines[queue] = line
            return self.lines[queue]

    async def ready_count(self, queue: str) -> int:
        """Ask how many messages of a queue no consumer has."""
        async with self._connection.channel() as channel:
            declared = await channel.declare_queue(self._topology.name(queue), passive=True)
            return declared.declaration_result.message_count or 0

    async def prepare(self, pool: Pool, make_id: MakeId) -> None:
        """Make what is missing on the server, and begin to collect its dead letters."""
        channel = await self.channel()
        self.default = channel.default_exchange
        self.messages = await channel.declare_exchange(
            self._topology.messages, aio_pika.ExchangeType.TOPIC, durable=True
        )
        await self._declare_dead_letters(channel)
        for queue, types in self._topology.queues.items():
            declared = await channel.declare_queue(
                self._topology.name(queue),
                durable=True,
                arguments={
                    "x-queue-type": "quorum",
                    "x-single-active-consumer": True,
                    "x-dead-letter-exchange": self._topology.dead_letters,
                    "x-dead-letter-strategy": "at-least-once",
                    "x-overflow": "reject-publish",
                    "x-delivery-limit": DELIVERY_LIMIT,
                },
            )
            for name in sorted(types):
                await declared.bind(self.messages, routing_key=name)
        collecting = await self.channel()
        await collecting.set_qos(prefetch_count=1)
        collector = _Collector(pool, make_id, self._topology, collecting.default_exchange)
        await (await collecting.get_queue(self._topology.dead_letters)).consume(collector.on_message)

    async def close(self) -> None:
        """Close the connection, and do not wait for a server that is silent."""
        self._on_lost()
        with suppress(AMQPError, ChannelInvalidStateError, OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS_MAX):
                await self._connection.close()

    async def _declare_dead_letters(self, channel: AbstractChannel) -> None:
        exchange = await channel.declare_exchange(
            self._topology.dead_letters, aio_pika.ExchangeType.FANOUT, durable=True
        )
        arguments = {"x-queue-type": "quorum"}
        queue = await channel.declare_queue(self._topology.dead_letters, durable=True, arguments=dict(arguments))
        await queue.bind(exchange)
        await channel.declare_queue(
            self._topology.unreadable, durable=True, arguments={**arguments, "x-max-length": _UNREADABLE_COUNT_MAX}
        )

    def _on_lost(self, *_: object) -> None:
        self.is_lost = True
        for line in self.lines.values():
            line.news.set()

    def _on_cancelled(self, _: object) -> None:
        self._on_lost()


async def open_link(url: str, topology: Topology, pool: Pool, make_id: MakeId, *, number: int) -> Link:
    """Connect, and make what is missing on the server."""
    async with asyncio.timeout(CONNECT_SECONDS_MAX):
        connection = await aio_pika.connect(url)
        link = Link(connection, topology, number)
        try:
            await link.prepare(pool, make_id)
        except BaseException:
            await link.close()
            raise
    return link


class _Collector:
    """Takes what RabbitMQ put into the dead-letter queue into the table of dead letters."""

    def __init__(self, pool: Pool, make_id: MakeId, topology: Topology, default: AbstractExchange) -> None:
        self._pool = pool
        self._make_id = make_id
        self._topology = topology
        self._default = default

    async def on_message(self, envelope: AbstractIncomingMessage) -> None:
        """Keep one letter: in the table, or among the unreadable."""
        try:
            await self._keep(envelope)
            await envelope.ack()
        except (AMQPError, ChannelInvalidStateError, OSError, DomainError) as error:
            _log.warning("dead_letter_not_kept", reason=str(error))
            await asyncio.sleep(_PAUSE_SECONDS)
            with suppress(AMQPError, ChannelInvalidStateError, OSError):
                await envelope.nack(requeue=True)

    async def _keep(self, envelope: AbstractIncomingMessage) -> None:
        queue = self._topology.queue(str(envelope.headers.get("x-first-death-queue", "")))
        reason = str(envelope.headers.get("x-first-death-reason", "unknown"))
        body = _read(envelope.body)
        if body is None:
            _log.error("unreadable_message", queue=queue, size=len(envelope.body))
            copy = aio_pika.Message(
                envelope.body, headers=envelope.headers, delivery_mode=aio_pika.DeliveryMode.PERSISTENT
            )
            await self._default.publish(copy, self._topology.unreadable)
            return
        message = from_cloud_event(body)
        attempts = DELIVERY_LIMIT if reason == "delivery_limit" else 1
        delivery = Delivery(queue, body, message.organization_id, message.message_id, message.key, attempts, receipt=())
        await put_away(self._pool, self._make_id, delivery, f"RabbitMQ took it out of the queue: {reason}")


def _read(raw: bytes) -> Mapping[str, Json] | None:
    """Read a body; None if it is no message of ours."""
    try:
        body = json.loads(raw)
        if not isinstance(body, dict):
            return None
        event = cast("dict[str, Json]", body)
        from_cloud_event(event)
    except (ValueError, NotOurCloudEvent):
        return None
    return event
