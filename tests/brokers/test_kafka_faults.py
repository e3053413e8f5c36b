"""Kafka and its consumers killed, paused, away, and dealt out anew: nothing lost, order kept, few repeats."""

import asyncio
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from harness import kafka_consumer
from harness.kafka_server import KafkaServer
from harness.messages import ThingHappened, message
from harness.processes import Program, clean_environment
from harness.sale import make_sale
from harness.waiting import until
from harness.worker import resources_on, running_worker

from fullhouse.core.message import Message
from fullhouse.infra.brokers.cloud_events import from_cloud_event
from fullhouse.infra.brokers.kafka import KafkaBroker
from fullhouse.infra.brokers.port import BrokerUnavailable
from fullhouse.infra.outbox import append
from fullhouse.infra.outbox_leases import prepare_leases
from fullhouse.infra.postgres import EVERY_ORGANIZATION, transaction
from fullhouse.infra.system import make_id, randomness
from fullhouse.operations.verify import verify
from fullhouse.workers.relay_outbox import Relay

HAPPENED = {"thing.happened"}
LEASE = 20.0


def batch(keys: Sequence[UUID], first: int, count: int) -> list[Message]:
    return [message(key, number=number) for number in range(first, first + count) for key in keys]


class Seen:
    """What consumers handled, in order; a key in two hands at once fails the test."""

    def __init__(self) -> None:
        self.numbers: defaultdict[UUID, list[int]] = defaultdict(list)
        self.in_hand: set[UUID] = set()

    async def handle(self, broker: KafkaBroker, queue: str, stop: Callable[[], bool], seconds: float = 0.0) -> None:
        while not stop():
            for delivery in await broker.receive(queue, count_max=5, lease_seconds=LEASE):
                assert delivery.key not in self.in_hand
                self.in_hand.add(delivery.key)
                await asyncio.sleep(seconds)
                self.numbers[delivery.key].append(int(str(from_cloud_event(delivery.body).data["number"])))
                self.in_hand.remove(delivery.key)
                try:
                    await broker.acknowledge([delivery])
                except BrokerUnavailable:
                    continue

    def count(self) -> int:
        return sum(len(set(numbers)) for numbers in self.numbers.values())


def first_times(numbers: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(numbers))


def never_jumps(numbers: Sequence[int]) -> bool:
    """Say whether repeats go back, but nothing is passed over on the way forward."""
    furthest = -1
    for number in numbers:
        if number > furthest + 1:
            return False
        furthest = max(furthest, number)
    return True


pytestmark = pytest.mark.chaos


async def publish_until_taken(broker: KafkaBroker, messages: Sequence[Message]) -> int:
    """Publish as the relay does: the same batch again until it is confirmed. Return how often it was not."""
    for failures in range(100):
        try:
            await broker.publish(messages)
        except BrokerUnavailable:
            await asyncio.sleep(0.2)
        else:
            return failures
    raise AssertionError("never taken")


async def log_of(kafka: KafkaServer, topic: str) -> dict[bytes, list[int]]:
    """Read the whole topic: the numbers of each key, as they stand there."""
    consumer: Any = AIOKafkaConsumer(topic, bootstrap_servers=kafka.address, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        found: defaultdict[bytes, list[int]] = defaultdict(list)
        for _ in range(sum(ends.values())):
            record = await asyncio.wait_for(consumer.getone(), 30)
            found[record.key].append(int(record.value.partition(b'"number":')[2].partition(b"}")[0]))
        return dict(found)
    finally:
        await consumer.stop()


async def test_consumers_that_come_and_go_never_share_a_key_and_handle_everything_once(
    open_kafka: Any, queue: str
) -> None:
    keys = [uuid4() for _ in range(12)]
    first = await open_kafka({queue: HAPPENED}, "partitions=6")
    await first.publish(batch(keys, 0, 25))
    seen, gone = Seen(), asyncio.Event()

    def all_done() -> bool:
        return seen.count() == 300

    async def come_and_go() -> None:
        await seen.handle(first, queue, lambda: seen.count() > 150, 0.002)
        await first.close()
        gone.set()

    async def come_later(after: int) -> None:
        await until(lambda: reached(seen, after))
        await seen.handle(await open_kafka({queue: HAPPENED}, "partitions=6"), queue, all_done, 0.002)

    async with asyncio.timeout(90):
        await asyncio.gather(come_and_go(), come_later(30), come_later(90))
    assert gone.is_set()
    assert seen.numbers == {key: list(range(25)) for key in keys}


async def reached(seen: Seen, count: int) -> bool:
    return seen.count() >= count


async def test_consumer_killed_in_the_middle_is_gone_on_for(
    open_kafka: Any, kafka: KafkaServer, queue: str, tmp_path: Path
) -> None:
    keys = [uuid4() for _ in range(8)]
    broker = await open_kafka({queue: HAPPENED})
    sent = batch(keys, 0, 20)
    await broker.publish(sent)
    notes = tmp_path / "handled.txt"
    notes.touch()
    command = [sys.executable, kafka_consumer.__file__, kafka.url(), queue, str(notes), "0.02"]
    victim = Program(command, tmp_path, clean_environment())
    try:

        async def some_handled() -> bool:
            return len(notes.read_text(encoding="utf-8").split()) > 40

        await until(some_handled)
        victim.send(signal.SIGKILL)
        victim.wait()
    finally:
        victim.end()
    handled = notes.read_text(encoding="utf-8").split()
    assert len(handled) < len(sent)

    seen = Seen()
    repeated = {str(one.message_id): one for one in sent}
    for name in handled:
        one = repeated[name]
        seen.numbers[one.key].append(int(str(one.data["number"])))
    before = seen.count()
    async with asyncio.timeout(60):
        await seen.handle(broker, queue, lambda: seen.count() == len(sent))

    assert seen.count() == len(sent) > before
    assert all(first_times(numbers) == list(range(20)) for numbers in seen.numbers.values())
    repeats = sum(len(numbers) - 20 for numbers in seen.numbers.values())
    assert repeats <= 4, "only what the victim had in hand comes again"


async def test_kafka_killed_in_mid_flow_loses_nothing_and_keeps_the_order(
    open_kafka: Any, kafka: KafkaServer, queue: str
) -> None:
    keys = [uuid4() for _ in range(6)]
    publisher, consumer = await open_kafka({queue: HAPPENED}), await open_kafka({queue: HAPPENED})
    seen = Seen()
    consuming = asyncio.create_task(seen.handle(consumer, queue, lambda: seen.count() == 600))
    failures = 0
    for step in range(20):
        publishing = asyncio.create_task(publish_until_taken(publisher, batch(keys, step * 5, 5)))
        if step in {5, 12}:
            await asyncio.to_thread(kafka.kill)
            await asyncio.to_thread(kafka.start)
        failures += await publishing
    async with asyncio.timeout(90):
        await consuming

    assert {key: first_times(numbers) for key, numbers in seen.numbers.items()} == {
        key: list(range(100)) for key in keys
    }
    log = await log_of(kafka, f"fullhouse.{queue}")
    assert all(never_jumps(numbers) and max(numbers) == 99 for numbers in log.values())
    assert len(log) == 6
    repeats = sum(len(numbers) for numbers in log.values()) - 600
    assert repeats <= failures * 30, "only a batch that was not confirmed was sent again"


async def test_kafka_that_hangs_is_given_up_and_the_batch_is_sent_again_in_order(
    open_kafka: Any, kafka: KafkaServer, queue: str
) -> None:
    keys = [uuid4() for _ in range(3)]
    broker = await open_kafka({queue: HAPPENED})
    await broker.publish(batch(keys, 0, 5))
    kafka.send(signal.SIGSTOP)
    try:
        with pytest.raises(BrokerUnavailable):
            await broker.publish(batch(keys, 5, 5))
    finally:
        kafka.send(signal.SIGCONT)
    await publish_until_taken(broker, batch(keys, 5, 5))
    await publish_until_taken(broker, batch(keys, 10, 5))

    log = await log_of(kafka, f"fullhouse.{queue}")
    assert all(never_jumps(numbers) and max(numbers) == 14 for numbers in log.values())


async def test_kafka_that_is_away_is_said_to_be_and_found_when_it_comes(
    open_kafka: Any, kafka: KafkaServer, queue: str
) -> None:
    await asyncio.to_thread(kafka.stop)
    try:
        broker = await open_kafka({queue: HAPPENED})
        with pytest.raises(BrokerUnavailable):
            await broker.publish([message()])
        with pytest.raises(BrokerUnavailable):
            await broker.receive(queue, count_max=1, lease_seconds=LEASE)
        with pytest.raises(BrokerUnavailable):
            await broker.depth()
        await broker.wait(queue, 0.01)
    finally:
        await asyncio.to_thread(kafka.start)
    sent = message()
    await broker.publish([sent])
    got: list[Any] = []

    async def received() -> bool:
        got.extend(await broker.receive(queue, count_max=1, lease_seconds=LEASE))
        return bool(got)

    await until(received)
    assert [delivery.message_id for delivery in got] == [sent.message_id]


async def test_stop_while_kafka_is_away_lets_go_of_everything(open_kafka: Any, kafka: KafkaServer, queue: str) -> None:
    broker = await open_kafka({queue: HAPPENED})
    await broker.publish([message()])
    assert await broker.receive(queue, count_max=1, lease_seconds=LEASE) is not None
    before = len(asyncio.all_tasks())
    await asyncio.to_thread(kafka.kill)
    try:
        # Long enough for the client to wait between two tries, where a stop meets it.
        for _ in range(4):
            await broker.wait(queue, 0.3)
        await broker.close()
        assert len(asyncio.all_tasks()) < before
    finally:
        await asyncio.to_thread(kafka.start)


async def test_two_relays_send_the_outbox_through_a_death_of_kafka_in_the_order_of_each_key(
    fresh_pool: Any, open_kafka: Any, kafka: KafkaServer, queue: str
) -> None:
    keys = [uuid4() for _ in range(20)]
    for first in range(0, 30, 10):
        async with transaction(fresh_pool, EVERY_ORGANIZATION) as conn:
            facts = [ThingHappened(number, key) for number in range(first, first + 10) for key in keys]
            await append(conn, make_id, facts)
    brokers = [await open_kafka({queue: HAPPENED}) for _ in range(2)]
    relays = [Relay(fresh_pool, broker, make_id, randomness) for broker in brokers]
    async with transaction(fresh_pool, EVERY_ORGANIZATION) as conn:
        await prepare_leases(conn)

    async def relay(one: Relay) -> None:
        while await fresh_pool.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NULL"):
            try:
                await one.send_due()
            except BrokerUnavailable:
                await asyncio.sleep(0.2)
            await asyncio.sleep(0.01)

    async def die() -> None:
        await asyncio.to_thread(kafka.kill)
        await asyncio.to_thread(kafka.start)

    async with asyncio.timeout(90):
        await asyncio.gather(*map(relay, relays), die())

    log = await log_of(kafka, f"fullhouse.{queue}")
    assert {key.decode(): first_times(numbers) for key, numbers in log.items()} == {
        str(key): list(range(30)) for key in keys
    }
    assert all(never_jumps(numbers) for numbers in log.values())


async def test_sale_goes_from_payment_to_mail_through_kafka(
    fresh_pool: Any, valkey: Any, fresh_database: str, kafka: KafkaServer, queue: str, tmp_path: Path
) -> None:
    sale = await make_sale(fresh_pool)
    parts = resources_on(fresh_pool, valkey, fresh_database, tmp_path)
    url = kafka.url(f"partitions=3&prefix={queue}")
    async with running_worker(replace(parts, broker_url=url)):
        order_id = (await sale.order(2)).order.order_id
        await sale.pay(order_id)
        await until(lambda: fresh_pool.fetchval("SELECT count(*) FROM mail_deliveries"), 60)

    assert (await sale.show(order_id)).status.value == "paid"
    assert await fresh_pool.fetchval("SELECT count(*) FROM tickets WHERE status = 'valid'") == 2
    assert await fresh_pool.fetchval("SELECT count(*) FROM broker_messages") == 0
    assert await fresh_pool.fetchval("SELECT count(*) FROM dead_letters") == 0
    assert await verify(fresh_pool, idle=False) == []
