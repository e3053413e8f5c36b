"""The broker SQS: a queue for each queue of ours, with a dead-letter queue beside it.

In FIFO queues (the default) the key is the message group: order per key holds, and what is published twice within five
minutes stands once. In standard queues (``fifo=off``) it does not: messages of a key may come in any order, at once,
and twice; consumers answer for that with the inbox and with row locks.
"""

import asyncio
import json
import math
from collections import defaultdict
from collections.abc import Awaitable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import suppress

from fullhouse.core.errors import Malformed, Unavailable
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.core.message import Message
from fullhouse.infra.brokers.cloud_events import from_cloud_event, to_cloud_event
from fullhouse.infra.brokers.dead_letters import put_away
from fullhouse.infra.brokers.port import Broker, BrokerUnavailable, Delivery, MessageRefused, QueueDepth
from fullhouse.infra.brokers.sqs_calls import SqsCalls
from fullhouse.infra.brokers.sqs_line import Line
from fullhouse.infra.brokers.sqs_place import (
    BODY_BYTES_MAX,
    REQUEST_COUNT_MAX,
    Lent,
    Sent,
    SqsPlace,
    read_received,
    read_sqs_url,
    requests_of,
)
from fullhouse.infra.postgres import Pool
from fullhouse.infra.telemetry import get_log

POLL_SECONDS = 20
"""The longest that SQS waits for a message; a poll goes on in the background, so that an idle queue costs little."""

LEASE_SECONDS_MAX = 43_200
PUT_AWAY_SECONDS = 60
_SENDS_AT_ONCE = 8

_log = get_log("fullhouse.brokers.sqs")


def open_broker(broker_url: str, *, pool: Pool, database_url: str, make_id: MakeId) -> Broker:
    """Return the broker that ``sqs://…`` names. Raises ``OperatorError`` for a URL that makes no sense."""
    del database_url
    return SqsBroker(pool, read_sqs_url(broker_url), make_id)


class SqsBroker:
    """Queues of SQS; dead letters with their reason go to the table ``dead_letters`` through ``pool``."""

    def __init__(self, pool: Pool, place: SqsPlace, make_id: MakeId) -> None:
        """Connect, and make the queues that are missing, when they are first needed."""
        self._pool = pool
        self._ordered = place.fifo
        self._make_id = make_id
        self._calls = SqsCalls(place)
        self._lines: dict[str, Line] = {}
        self._queues: Collection[str] = ()
        self._queues_of_type: defaultdict[str, list[str]] = defaultdict(list)

    async def declare(self, queues: Mapping[str, Collection[str]]) -> None:
        """Remember who wants what. A queue is made at its first use, so that a start does not wait for SQS."""
        self._queues = tuple(queues)
        self._queues_of_type.clear()
        for queue, types in queues.items():
            for name in types:
                self._queues_of_type[name].append(queue)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Send the batch to each queue that wants it, ten messages a request, the next of a key after the one before.

        Some of the others may have been taken when this raises; what is sent again is dropped by a FIFO queue.
        """
        wanted: defaultdict[str, list[Message]] = defaultdict(list)
        for message in messages:
            for queue in self._queues_of_type.get(message.type, ()):
                wanted[queue].append(message)
        await _all(
            self._send(queue, [_sent(one, str(one.message_id)) for one in some]) for queue, some in wanted.items()
        )

    async def receive(self, queue: str, *, count_max: int, lease_seconds: float) -> list[Delivery]:
        """Hand out what was kept back, then what SQS lends at once; what a long poll under way finds comes by it."""
        line = await self._line(queue)
        line.count_max, line.lease_seconds = count_max, _whole(lease_seconds)
        out = await self._hand_out(line, count_max)
        while len(out) < count_max and not line.is_polling:
            if not await self._borrow(line, count_max - len(out), wait_seconds=0):
                break
            out += await self._hand_out(line, count_max - len(out))
        return [one.delivery(queue, line.spared[one.sqs_id]) for one in out]

    async def wait(self, queue: str, seconds_max: float) -> None:
        """Wait for a long poll. It goes on behind who stops waiting; the next call finds it, or what it found."""
        line = await self._line(queue)
        if line.ready(_clock()):
            return
        if not line.is_polling:
            line.poll = asyncio.create_task(self._poll(line), name=f"sqs-poll:{queue}")
        if line.poll is not None:
            await asyncio.wait({line.poll}, timeout=seconds_max)

    async def extend(self, delivery: Delivery, lease_seconds: float) -> None:
        """Prolong the loan, and that of what is kept back behind it."""
        line = await self._line(delivery.queue)
        if (lent := line.held(_handle(delivery), _clock())) is not None:
            behind = [one for one in line.kept if line.ordered and one.message.key == lent.message.key]
            for one in (lent, *behind):
                await self._lend_until(line, one, lease_seconds)

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Delete what this consumer still has on loan, ten a request."""
        of_queue: defaultdict[str, list[str]] = defaultdict(list)
        for delivery in deliveries:
            of_queue[delivery.queue].append(_handle(delivery))
        for queue, handles in of_queue.items():
            line = await self._line(queue)
            await self._delete(line, [handle for handle in handles if line.held(handle, _clock())])

    async def retry_later(self, delivery: Delivery, delay_seconds: float) -> None:
        """Let the loan end after the delay, in whole seconds, twelve hours at most; its group waits meanwhile."""
        line = await self._line(delivery.queue)
        if (lent := line.held(_handle(delivery), _clock())) is None:
            return
        behind = line.drop_key(lent.message.key) if line.ordered else []
        try:
            await self._lend_until(line, lent, delay_seconds)
            for one in behind:
                await self._lend_until(line, one, 0)
        finally:
            line.in_hand.pop(lent.handle, None)

    async def dead_letter(self, delivery: Delivery, reason: str) -> None:
        """Write the dead letter, then delete the message; a crash between the two writes no second letter."""
        line = await self._line(delivery.queue)
        lent = line.held(_handle(delivery), _clock())
        if lent is not None and await self._lend_until(line, lent, PUT_AWAY_SECONDS):
            try:
                await put_away(self._pool, self._make_id, delivery, reason)
            except Unavailable as lost:
                raise BrokerUnavailable(str(lost), retry_after_seconds=1) from lost
            await self._delete(line, [lent.handle])

    async def requeue(self, queue: str, body: Mapping[str, Json]) -> None:
        """Send the body once more, with an id of its own, so that it is not taken for a repeat."""
        await self._send(queue, [_sent(from_cloud_event(body), str(self._make_id()))])

    async def depth(self) -> list[QueueDepth]:
        """Ask SQS for the counts, which are approximate, and CloudWatch for the ages, which lag by minutes."""
        return list(await asyncio.gather(*(self._depth(queue) for queue in sorted(self._queues))))

    async def close(self) -> None:
        """Give back what nobody works on, and close the connections."""
        for line in self._lines.values():
            if line.poll is not None:
                line.poll.cancel()
                await asyncio.wait({line.poll})
            with suppress(BrokerUnavailable):
                for one in line.kept:
                    await self._lend_until(line, one, 0)
        self._lines.clear()
        await self._calls.close()

    async def _line(self, queue: str) -> Line:
        if queue not in self._lines:
            url = await self._calls.queue_url(queue)
            self._lines.setdefault(queue, Line(queue, url, self._ordered))
        return self._lines[queue]

    async def _send(self, queue: str, sent: Sequence[Sent]) -> None:
        line = await self._line(queue)
        for one in sent:
            if len(one.body) > BODY_BYTES_MAX:
                raise MessageRefused(f"{queue}: a message has {len(one.body)} bytes, more than {BODY_BYTES_MAX}")
        for wave in _waves(sent):
            await _all(
                self._calls.send(line.url, [one.entry(ordered=line.ordered) for one in request]) for request in wave
            )

    async def _borrow(self, line: Line, count_max: int, *, wait_seconds: int) -> int:
        """Take messages on loan and keep them; return how many. What is none of ours stays until SQS puts it away."""
        answers = await self._calls.receive(
            line.url, count_max=count_max, lease_seconds=line.lease_seconds, wait_seconds=wait_seconds
        )
        until = _clock() + line.lease_seconds
        lent: list[Lent] = []
        for answer in answers:
            try:
                lent.append(read_received(answer, until))
            except Malformed as wrong:
                _log.error("not_our_message", queue=line.queue, sqs_id=answer["MessageId"], error=str(wrong))
        line.keep(lent)
        return len(answers)

    async def _hand_out(self, line: Line, count_max: int) -> list[Lent]:
        out: list[Lent] = []
        for one in line.ready(_clock())[:count_max]:
            waited = one.until - _clock() < line.lease_seconds - 1
            if waited and not await self._lend_until(line, one, line.lease_seconds):
                line.drop_key(one.message.key)
                continue
            line.kept.remove(one)
            line.in_hand[one.handle] = one
            out.append(one)
        return out

    async def _poll(self, line: Line) -> None:
        with suppress(BrokerUnavailable):  # who receives next is told
            await self._borrow(line, line.count_max, wait_seconds=POLL_SECONDS)

    async def _lend_until(self, line: Line, lent: Lent, seconds: float) -> bool:
        if await self._calls.lend(line.url, lent.handle, _whole(seconds)):
            lent.until = _clock() + _whole(seconds)
            return True
        line.in_hand.pop(lent.handle, None)
        return False

    async def _delete(self, line: Line, handles: Sequence[str]) -> None:
        for first in range(0, len(handles), REQUEST_COUNT_MAX):
            some = handles[first : first + REQUEST_COUNT_MAX]
            await self._calls.delete(line.url, some)
            for handle in some:
                line.in_hand.pop(handle, None)

    async def _depth(self, queue: str) -> QueueDepth:
        line = await self._line(queue)
        if not (count := await self._calls.count(line.url)):
            return QueueDepth(queue, 0, 0.0)
        try:
            return QueueDepth(queue, count, await self._calls.oldest_seconds(queue))
        except BrokerUnavailable as refused:
            _log.warning("age_unknown", queue=queue, error=str(refused))
            return QueueDepth(queue, count, None)


async def _all(sending: Iterable[Awaitable[None]]) -> None:
    """Let all of them end, then raise the first error: nothing may still be on its way when it is sent again."""
    for result in await asyncio.gather(*sending, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def _waves(sent: Sequence[Sent]) -> Generator[list[list[Sent]]]:
    """Divide what is sent into requests, and these into waves without a key in common, to be sent at once."""
    wave: list[list[Sent]] = []
    keys: set[str] = set()
    for request in requests_of(sent):
        own = {one.key for one in request}
        if keys & own or len(wave) == _SENDS_AT_ONCE:
            yield wave
            wave, keys = [], set()
        wave.append(request)
        keys |= own
    if wave:
        yield wave


def _sent(message: Message, once: str) -> Sent:
    """Write a message in ASCII: SQS refuses some characters of Unicode."""
    return Sent(str(message.key), json.dumps(to_cloud_event(message), separators=(",", ":")), once)


def _handle(delivery: Delivery) -> str:
    return str(delivery.receipt[0])


def _whole(seconds: float) -> int:
    """SQS counts whole seconds."""
    return min(LEASE_SECONDS_MAX, math.ceil(max(0.0, seconds)))


def _clock() -> float:
    return asyncio.get_running_loop().time()
