"""RabbitMQ: quorum queues with one active consumer each, publisher confirms, and a dead-letter exchange.

A process holds up to ``PREFETCH_COUNT`` messages of a queue and lends them to its consumers itself, since RabbitMQ
orders a queue and not a key: a message that waits for its next try holds up its own key and nothing else. Another
process stands by and takes over, in order, when the connection of the active one ends.
"""

import asyncio
import json
import re
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import cast

from aio_pika import DeliveryMode
from aio_pika import Message as Envelope
from aio_pika.abc import AbstractExchange
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError, ChannelPreconditionFailed
from yarl import URL

from fullhouse.core.errors import Unavailable
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.core.message import Message
from fullhouse.infra.brokers.cloud_events import from_cloud_event, to_cloud_event
from fullhouse.infra.brokers.dead_letters import put_away
from fullhouse.infra.brokers.held_messages import Held
from fullhouse.infra.brokers.port import Broker, BrokerUnavailable, Delivery, MessageRefused, QueueDepth
from fullhouse.infra.brokers.rabbitmq_link import Line, Link, Topology, open_link
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.postgres import Pool
from fullhouse.infra.system import now

CONFIRM_SECONDS_MAX = 10.0
"""How long a batch may take to be confirmed; after that, whether it was taken is not known."""

CONSUME_SECONDS_MAX = 10.0
"""How long a queue may take to accept a consumer; one whose leader is being chosen answers late."""

HEARTBEAT_SECONDS = 10
"""A peer that is silent for about three times as long is given up."""

_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,80}")
_DEFAULT_PREFIX = "fullhouse"


def open_broker(broker_url: str, *, pool: Pool, database_url: str, make_id: MakeId) -> Broker:  # noqa: ARG001
    """Return a broker on ``amqp(s)://user:password@host:port/vhost?prefix=fullhouse``.

    ``prefix`` keeps installations on one server apart. Raises ``OperatorError`` for a URL that makes no sense.
    """
    try:
        url = URL(broker_url)
        host, prefix = url.host, url.query.get("prefix", _DEFAULT_PREFIX)
    except ValueError as wrong:
        raise OperatorError(f"FULLHOUSE_BROKER_URL: {wrong}") from wrong
    if not host or not _PREFIX.fullmatch(prefix):
        raise OperatorError(
            "FULLHOUSE_BROKER_URL: write amqp://user:password@host:port/vhost?prefix=fullhouse; "
            "a prefix has letters, digits, '.', '_' and '-'"
        )
    given = url.without_query_params("prefix")
    if "heartbeat" not in given.query:
        given = given.update_query(heartbeat=str(HEARTBEAT_SECONDS))
    return RabbitMQBroker(str(given), prefix, pool, make_id)


class RabbitMQBroker:
    """Queues on a RabbitMQ server of version 3.10 or later."""

    def __init__(self, url: str, prefix: str, pool: Pool, make_id: MakeId) -> None:
        """Take the server's URL, the prefix of all names there, and the pool for the table of dead letters."""
        self._url = url
        self._pool = pool
        self._make_id = make_id
        self._topology = Topology(prefix)
        self._wanted: Collection[str] = frozenset()
        self._link: Link | None = None
        self._opening = asyncio.Lock()
        self._links_count = 0

    async def declare(self, queues: Mapping[str, Collection[str]]) -> None:
        """Remember who wants what; queues and bindings are made at every new connection."""
        self._topology = Topology(self._topology.prefix, {queue: frozenset(types) for queue, types in queues.items()})
        self._wanted = frozenset().union(*self._topology.queues.values())
        await self._drop_link()

    async def publish(self, messages: Sequence[Message]) -> None:
        """Send the batch in order and wait until RabbitMQ has confirmed each.

        A type that a queue wants is published as mandatory: without a queue to take it, it is an error. Others go to
        whoever bound a queue of their own to the exchange.
        """
        link = await self._open()
        await self._send(
            link,
            link.messages,
            [(message.type, _envelope(message), message.type in self._wanted) for message in messages],
        )

    async def receive(self, queue: str, *, count_max: int, lease_seconds: float) -> list[Delivery]:
        """Lend what this process holds; nothing while another process is the queue's active one."""
        link = await self._open()
        line = await self._line(link, queue)
        line.news.clear()
        # RabbitMQ pushes: without this, who asks in a loop would never let a message arrive.
        await asyncio.sleep(0)
        lent = line.held.lend(_clock(), count_max=count_max, lease_seconds=lease_seconds)
        return [_delivery(queue, link, held) for held in lent]

    async def wait(self, queue: str, seconds_max: float) -> None:
        """Wait for a message that arrives, or for the end of a lease or of a delay."""
        line = self._link.lines.get(queue) if self._link is not None else None
        if line is None:
            await asyncio.sleep(min(seconds_max, 0.1))
            return
        due_at = line.held.due_at()
        seconds = seconds_max if due_at is None else min(seconds_max, max(0.0, due_at - _clock()))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await line.news.wait()

    async def extend(self, delivery: Delivery, lease_seconds: float) -> None:
        """Prolong the lease, which only this process knows of."""
        line, held = self._find(delivery)
        if line is not None and held is not None:
            line.held.put_off(held, _clock() + lease_seconds)

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge what is still lent to this consumer, on the connection that it came by."""
        with _broker_errors():
            for delivery in deliveries:
                line, held = self._find(delivery)
                if line is not None and held is not None:
                    await line.acknowledge(held)

    async def retry_later(self, delivery: Delivery, delay_seconds: float) -> None:
        """Keep the message in this process for the delay; it comes sooner if the process ends."""
        line, held = self._find(delivery)
        if line is not None and held is not None:
            held.token += 1
            line.held.put_off(held, _clock() + delay_seconds)
            line.news.set()

    async def dead_letter(self, delivery: Delivery, reason: str) -> None:
        """Write the message into the table of dead letters, then acknowledge it."""
        line, held = self._find(delivery)
        if line is not None and held is not None:
            try:
                await put_away(self._pool, self._make_id, delivery, reason)
            except Unavailable as lost:
                raise BrokerUnavailable(str(lost), retry_after_seconds=1) from lost
            await self.acknowledge([delivery])

    async def requeue(self, queue: str, body: Mapping[str, Json]) -> None:
        """Send the body to one queue alone."""
        envelope = _envelope(from_cloud_event(body))
        link = await self._open()
        await self._send(link, link.default, [(self._topology.name(queue), envelope, True)])

    async def depth(self) -> list[QueueDepth]:
        """Ask RabbitMQ how much is ready, and add what this process holds. Ages are known of what it holds alone."""
        link = await self._open()
        with _broker_errors():
            ready = {queue: await link.ready_count(queue) for queue in sorted(self._topology.queues)}
        return [_depth(queue, count, link.lines.get(queue)) for queue, count in ready.items()]

    async def close(self) -> None:
        """Close the connection; what this process holds goes back to its queues, in order."""
        await self._drop_link()

    async def _open(self) -> Link:
        async with self._opening:
            if self._link is None or self._link.is_lost:
                if self._link is not None:
                    await self._link.close()
                self._links_count += 1
                with _broker_errors():
                    self._link = await open_link(
                        self._url, self._topology, self._pool, self._make_id, number=self._links_count
                    )
            return self._link

    async def _line(self, link: Link, queue: str) -> Line:
        try:
            with _broker_errors():
                async with asyncio.timeout(CONSUME_SECONDS_MAX):
                    return await link.line(queue)
        except BrokerUnavailable:
            link.is_lost = True
            raise

    async def _drop_link(self) -> None:
        async with self._opening:
            link, self._link = self._link, None
            if link is not None:
                await link.close()

    async def _send(
        self, link: Link, exchange: AbstractExchange, envelopes: Sequence[tuple[str, Envelope, bool]]
    ) -> None:
        """Write all envelopes in their order, then wait for all confirmations."""
        sending = [
            asyncio.ensure_future(exchange.publish(envelope, key, mandatory=mandatory))
            for key, envelope, mandatory in envelopes
        ]
        try:
            with _broker_errors():
                async with asyncio.timeout(CONFIRM_SECONDS_MAX):
                    failures = [error for error in await asyncio.gather(*sending, return_exceptions=True) if error]
                for failure in failures:
                    if isinstance(failure, BaseException):
                        raise failure
        except (BrokerUnavailable, MessageRefused):
            # What was not confirmed may still be under way on this connection: nothing more goes over it. And if
            # a message found no queue, a new connection makes the queues again.
            link.is_lost = True
            raise

    def _find(self, delivery: Delivery) -> tuple[Line, Held] | tuple[None, None]:
        link_number, tag, token = cast("tuple[int, int, int]", delivery.receipt)
        link = self._link
        if link is None or link.number != link_number or link.is_lost:
            return None, None
        line = link.lines.get(delivery.queue)
        held = line.held.find(tag, token) if line is not None else None
        return (line, held) if line is not None and held is not None else (None, None)


@contextmanager
def _broker_errors() -> Generator[None]:
    try:
        yield
    except ChannelPreconditionFailed as refused:
        raise MessageRefused(str(refused)) from refused
    except (AMQPError, ChannelInvalidStateError, OSError, TimeoutError) as lost:
        text = str(lost) or type(lost).__name__
        raise BrokerUnavailable(f"RabbitMQ: {text}", retry_after_seconds=1) from lost


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _envelope(message: Message) -> Envelope:
    return Envelope(
        json.dumps(to_cloud_event(message), ensure_ascii=False, separators=(",", ":")).encode(),
        content_type="application/cloudevents+json",
        delivery_mode=DeliveryMode.PERSISTENT,
        message_id=str(message.message_id),
    )


def _delivery(queue: str, link: Link, held: Held) -> Delivery:
    return Delivery(
        queue=queue,
        body=held.body,
        organization_id=held.message.organization_id,
        message_id=held.message.message_id,
        key=held.message.key,
        attempts=held.attempts,
        receipt=(link.number, held.tag, held.token),
    )


def _depth(queue: str, ready_count: int, line: Line | None) -> QueueDepth:
    oldest = line.held.oldest() if line is not None else None
    if line is None or oldest is None:
        return QueueDepth(queue, ready_count, None if ready_count else 0.0)
    age = (now() - datetime.fromisoformat(oldest.message.occurred_at)).total_seconds()
    return QueueDepth(queue, ready_count + len(line.held), max(0.0, age))
