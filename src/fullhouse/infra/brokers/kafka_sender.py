"""Sending to Kafka: in order, confirmed by all copies, and nothing out of order after a failure."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from fullhouse.infra.brokers.kafka_client import (
    MESSAGE_BYTES_MAX,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerClient,
    abandon,
    broker_errors,
    make_producer,
)
from fullhouse.infra.brokers.kafka_url import KafkaPlace
from fullhouse.infra.brokers.port import MessageRefused

SEND_SECONDS_MAX = 10.0
"""How long a batch may take until it counts as unconfirmed. Shorter than the client's own waits: until then it keeps
trying in order, and gives no single record up."""

_STOP_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record."""

    topic: str
    key: bytes
    value: bytes


class Sender:
    """One producer, opened when it is first needed, and replaced after a failure.

    What a failed batch had in it may have arrived up to some record of each partition, and nothing of it arrives
    later; the caller sends the whole batch again, so that the order of a key holds, with duplicates.
    """

    def __init__(self, place: KafkaPlace) -> None:
        """Take where Kafka is."""
        self._place = place
        self._producer: ProducerClient | None = None
        self._lock = asyncio.Lock()

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Send in this order; return when all copies have them. Raises ``MessageRefused`` before anything is sent."""
        for record in records:
            if (size := len(record.key) + len(record.value)) > MESSAGE_BYTES_MAX:
                raise MessageRefused(f"a message of {size} bytes is too large for Kafka: {MESSAGE_BYTES_MAX}")
        if not records:
            return
        async with self._lock:
            with broker_errors():
                async with asyncio.timeout(SEND_SECONDS_MAX):
                    producer = await self._open()
                    await self._send(producer, records)

    async def close(self) -> None:
        """Close the producer. Nothing is left to send: who sends waits."""
        async with self._lock:
            producer, self._producer = self._producer, None
            if producer is not None:
                try:
                    async with asyncio.timeout(_STOP_SECONDS_MAX):
                        await producer.stop()
                except (TimeoutError, KafkaError):
                    await abandon(producer)

    async def _open(self) -> ProducerClient:
        if self._producer is None:
            producer = make_producer(self._place)
            try:
                await producer.start()
            except BaseException:
                await abandon(producer)
                raise
            self._producer = producer
        return self._producer

    async def _send(self, producer: ProducerClient, records: Sequence[Outgoing]) -> None:
        sent: list[asyncio.Future[object]] = []
        try:
            for record in records:
                # One that is waited for before all are handed over would cost a round trip for each.
                sent.append(await producer.send(record.topic, record.value, record.key))  # noqa: PERF401
            await asyncio.gather(*sent)
        except BaseException as error:
            self._producer = None
            for one in sent:
                one.cancel()
            with suppress(KafkaError, OSError):
                await asyncio.shield(abandon(producer))
            if isinstance(error, MessageSizeTooLargeError):
                raise MessageRefused(str(error)) from error
            raise
