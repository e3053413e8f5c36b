"""Kafka, a real one: order per key, waiting retries, progress that outlives consumers, depths, dead letters."""

import asyncio
import json
import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import OffsetMetadataTooLargeError
from harness.kafka_server import KafkaServer
from harness.messages import message

from fullhouse.infra.brokers import open_broker
from fullhouse.infra.brokers.cloud_events import from_cloud_event, to_cloud_event
from fullhouse.infra.brokers.kafka import KafkaBroker
from fullhouse.infra.brokers.kafka_client import MESSAGE_BYTES_MAX, abandon
from fullhouse.infra.brokers.port import Delivery, MessageRefused, QueueDepth
from fullhouse.infra.system import make_id

LEASE = 30.0
HAPPENED = {"thing.happened"}


async def receive(broker: KafkaBroker, queue: str, count: int, lease_seconds: float = LEASE) -> list[Delivery]:
    """Receive exactly that many, from as many fetches as it takes."""
    got: list[Delivery] = []
    async with asyncio.timeout(30):
        while len(got) < count:
            got += await broker.receive(queue, count_max=count - len(got), lease_seconds=lease_seconds)
    return got


async def nothing_more(broker: KafkaBroker, queue: str) -> None:
    assert await broker.receive(queue, count_max=10, lease_seconds=LEASE) == []


async def depth_of(broker: KafkaBroker, queue: str) -> QueueDepth:
    (found,) = [depth for depth in await broker.depth() if depth.queue == queue]
    return found


def topic(queue: str) -> str:
    return f"fullhouse.{queue}"


async def write_raw(kafka: KafkaServer, queue: str, value: bytes, key: bytes, **more: Any) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.address)
    await producer.start()
    try:
        await producer.send_and_wait(topic(queue), value, key=key, **more)
    finally:
        await producer.stop()


async def read_raw(kafka: KafkaServer, name: str, count: int) -> list[Any]:
    consumer = AIOKafkaConsumer(name, bootstrap_servers=kafka.address, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


async def test_message_arrives_as_it_was_published(open_kafka: Any, queue: str) -> None:
    broker = await open_kafka({queue: HAPPENED})
    sent = message(number=1, name="Zoë 日本", nested={"list": [1, None, True]})

    await broker.publish([sent])
    (delivery,) = await receive(broker, queue, 1)

    assert from_cloud_event(delivery.body) == sent
    assert (delivery.queue, delivery.message_id, delivery.key) == (queue, sent.message_id, sent.key)
    assert (delivery.organization_id, delivery.attempts) == (sent.organization_id, 1)
    await broker.acknowledge([delivery])
    await nothing_more(broker, queue)


async def test_messages_of_a_key_stand_in_one_partition_in_their_order(
    open_kafka: Any, kafka: KafkaServer, queue: str
) -> None:
    broker = await open_kafka({queue: HAPPENED})
    keys = [UUID(int=number) for number in range(8)]
    await broker.publish([message(key, number=number) for number in range(20) for key in keys])

    records = await read_raw(kafka, topic(queue), 160)

    for key in keys:
        mine = [record for record in records if record.key == str(key).encode()]
        assert len({record.partition for record in mine}) == 1
        assert [json.loads(record.value)["data"]["number"] for record in mine] == list(range(20))
    assert {record.partition for record in records} == {0, 1, 2}


async def test_topic_of_facts_gets_every_message_for_consumers_of_the_house(
    open_kafka: Any, kafka: KafkaServer, queue: str
) -> None:
    facts = f"{queue}-facts"
    broker = await open_kafka({queue: HAPPENED}, f"partitions=1&facts={facts}")
    happened, unwanted = message(), message(type_="nobody.cares")

    await broker.publish([happened, unwanted])

    records = await read_raw(kafka, facts, 2)
    assert [json.loads(record.value) for record in records] == [to_cloud_event(happened), to_cloud_event(unwanted)]
    assert [d.message_id for d in await receive(broker, queue, 1)] == [happened.message_id]
    await nothing_more(broker, queue)


async def test_retry_waits_with_its_key_while_other_keys_go_on(open_kafka: Any, queue: str) -> None:
    broker = await open_kafka({queue: HAPPENED}, "partitions=1")
    key = uuid4()
    first, second, other = message(key), message(key), message()
    await broker.publish([first, second, other])
    got = {delivery.message_id: delivery for delivery in await receive(broker, queue, 2)}

    await broker.retry_later(got[first.message_id], 3600)
    await broker.acknowledge([got[other.message_id]])
    await nothing_more(broker, queue)
    later = message()
    await broker.publish([later])
    (delivery,) = await receive(broker, queue, 1)
    assert delivery.message_id == later.message_id
    await broker.retry_later(delivery, 0.01)
    (again,) = await receive(broker, queue, 1)
    assert (again.message_id, again.attempts) == (later.message_id, 2)


async def test_what_was_finished_and_tried_is_known_to_who_goes_on(open_kafka: Any, queue: str) -> None:
    first = await open_kafka({queue: HAPPENED}, "partitions=1")
    sent = [message(number=number) for number in range(5)]
    await first.publish(sent)
    got = await receive(first, queue, 5)
    await first.acknowledge([got[1], got[3]])
    await first.retry_later(got[0], 3600)
    assert (await depth_of(first, queue)).count == 3
    await first.close()

    second = await open_kafka({queue: HAPPENED}, "partitions=1")
    assert (await depth_of(second, queue)).count == 3
    again = await receive(second, queue, 3)

    assert [(d.message_id, d.attempts) for d in again] == [(sent[number].message_id, 2) for number in (0, 2, 4)]
    await second.acknowledge(again)
    assert await depth_of(second, queue) == QueueDepth(queue, 0, 0.0)


async def test_late_words_of_who_lost_the_lease_change_nothing(open_kafka: Any, queue: str, pool: Any) -> None:
    broker = await open_kafka({queue: HAPPENED})
    await broker.publish([message()])
    (lost,) = await receive(broker, queue, 1, lease_seconds=0.05)
    (again,) = await receive(broker, queue, 1)
    assert (again.message_id, again.attempts) == (lost.message_id, 2)

    await broker.acknowledge([lost])
    await broker.extend(lost, 0)
    await broker.retry_later(lost, 0)
    await broker.dead_letter(lost, "too late")

    await nothing_more(broker, queue)
    assert (await depth_of(broker, queue)).count == 1
    assert await pool.fetchval("SELECT count(*) FROM dead_letters WHERE queue = $1", queue) == 0


async def test_dead_letter_is_written_once_whatever_dies_and_its_key_goes_on(
    open_kafka: Any, queue: str, pool: Any
) -> None:
    first = await open_kafka({queue: HAPPENED})
    key = uuid4()
    bad, good = message(key), message(key)
    await first.publish([bad, good])
    (delivery,) = await receive(first, queue, 1)
    await first._put_away(delivery, "died before the commit")
    await first.close()

    second = await open_kafka({queue: HAPPENED})
    (delivery,) = await receive(second, queue, 1)
    await second.dead_letter(delivery, "it cannot be")

    assert [d.message_id for d in await receive(second, queue, 1)] == [good.message_id]
    (row,) = await pool.fetch("SELECT * FROM dead_letters WHERE queue = $1", queue)
    assert (row["message_id"], row["key"], row["reason"]) == (bad.message_id, key, "died before the commit")
    assert from_cloud_event(row["body"]) == bad


@pytest.mark.parametrize("value", [b"", b"not json \x00", b"[]", b'{"specversion": "1.0"}', b"\xff\xfe"])
async def test_record_that_is_no_message_is_put_away_and_the_queue_goes_on(
    open_kafka: Any, kafka: KafkaServer, queue: str, pool: Any, value: bytes
) -> None:
    broker = await open_kafka({queue: HAPPENED}, "partitions=1")
    await broker.publish([message()])
    await write_raw(kafka, queue, value, b"any")
    await broker.publish([message()])

    await broker.acknowledge(await receive(broker, queue, 2))

    assert (await depth_of(broker, queue)).count == 0
    (row,) = await pool.fetch("SELECT * FROM dead_letters WHERE queue = $1", queue)
    assert row["reason"] == "it is not a message of Fullhouse"
    assert row["body"] == {"unreadable": value.decode(errors="replace").replace("\x00", "")}


async def test_message_that_is_too_large_is_refused_and_nothing_of_its_batch_is_sent(
    open_kafka: Any, queue: str
) -> None:
    broker = await open_kafka({queue: HAPPENED})
    with pytest.raises(MessageRefused, match="too large for Kafka"):
        await broker.publish([message(), message(text="x" * MESSAGE_BYTES_MAX)])
    assert (await depth_of(broker, queue)).count == 0

    large = message(text="x" * (MESSAGE_BYTES_MAX - 1_000))
    await broker.publish([large])
    assert from_cloud_event((await receive(broker, queue, 1))[0].body) == large


async def test_depth_counts_what_is_not_finished_and_ages_the_oldest(
    open_kafka: Any, kafka: KafkaServer, queue: str
) -> None:
    empty = queue + "-empty"
    broker = await open_kafka({queue: HAPPENED, empty: {"thing.never"}}, "partitions=1")
    await broker.publish([message()])
    (fresh,) = await receive(broker, queue, 1)
    old = message()
    hour_ago = int((time.time() - 3600) * 1000)
    await write_raw(kafka, queue, json.dumps(to_cloud_event(old)).encode(), b"old", timestamp_ms=hour_ago)

    before = await depth_of(broker, queue)
    await broker.acknowledge([fresh])
    after = await depth_of(broker, queue)

    assert (before.count, after.count) == (2, 1)
    assert (before.oldest_seconds or 0) < 60
    assert 3600 <= (after.oldest_seconds or 0) < 3700
    assert await depth_of(broker, empty) == QueueDepth(empty, 0, 0.0)


async def test_finished_records_are_deleted_and_what_is_left_is_still_found(open_kafka: Any, queue: str) -> None:
    broker = await open_kafka({queue: HAPPENED}, "partitions=1")
    await broker.publish([message(number=number) for number in range(10)])
    got = await receive(broker, queue, 10)
    await broker.acknowledge(got[:7])

    await broker._cluster.delete_before(topic(queue), {0: 7})
    await broker.close()

    other = await open_kafka({queue: HAPPENED}, "partitions=1")
    assert (await depth_of(other, queue)).count == 3
    assert {d.message_id for d in await receive(other, queue, 3)} == {d.message_id for d in got[7:]}


async def test_replay_puts_a_message_into_one_queue_with_fresh_attempts(open_kafka: Any, queue: str) -> None:
    other = queue + "-other"
    broker = await open_kafka({queue: HAPPENED, other: HAPPENED})
    sent = message()
    await broker.requeue(queue, to_cloud_event(sent))
    (delivery,) = await receive(broker, queue, 1)
    assert (delivery.message_id, delivery.attempts) == (sent.message_id, 1)
    assert (await depth_of(broker, other)).count == 0


async def test_topic_that_is_there_keeps_its_partitions(open_kafka: Any, kafka: KafkaServer, queue: str) -> None:
    for options in ("partitions=1", "partitions=5"):
        broker = await open_kafka({queue: HAPPENED}, options)
        await broker.publish([message() for _ in range(20)])
    records = await read_raw(kafka, topic(queue), 40)
    assert {record.partition for record in records} == {0}


async def test_producer_that_is_given_up_sends_nothing_later(open_kafka: Any, queue: str) -> None:
    broker = await open_kafka({queue: HAPPENED})
    await broker.publish([message()])
    producer = broker._sender._producer
    pending = [await producer.send(topic(queue), b"never", b"key") for _ in range(3)]
    await abandon(producer)
    broker._sender._producer = None
    for one in pending:
        one.cancel()
    await broker.publish([message()])
    # A batch that was on its way may have arrived; after the next publishing nothing does.
    before = (await depth_of(broker, queue)).count
    await asyncio.sleep(0.3)
    assert (await depth_of(broker, queue)).count == before


async def test_kafka_is_chosen_by_its_url(pool: Any, database_url: str) -> None:
    broker = open_broker("kafka://localhost:9", pool=pool, database_url=database_url, make_id=make_id)
    assert isinstance(broker, KafkaBroker)
    await broker.declare({"queue": HAPPENED})
    await broker.close()


async def test_consumer_that_broke_is_replaced(open_kafka: Any, queue: str) -> None:
    broker = await open_kafka({queue: HAPPENED})
    await broker.publish([message(number=number) for number in range(3)])
    (first,) = await receive(broker, queue, 1)
    feeding = broker._groups[queue]._tasks[0]
    feeding.cancel()
    await asyncio.wait([feeding])

    got = await receive(broker, queue, 3)

    assert {delivery.message_id for delivery in got} >= {first.message_id}
    assert {(d.message_id == first.message_id, d.attempts) for d in got} == {(True, 2), (False, 1)}
    await broker.acknowledge(got)
    assert (await depth_of(broker, queue)).count == 0


async def test_progress_that_the_server_finds_too_long_is_left_out(open_kafka: Any, queue: str) -> None:
    broker = await open_kafka({queue: HAPPENED}, "partitions=1")
    await broker.publish([message() for _ in range(2)])
    first, second = await receive(broker, queue, 2)
    consumer = broker._groups[queue]._consumer
    told: list[str] = []
    commit = consumer.commit

    async def strict(offsets: Any) -> None:
        told.extend(one.metadata for one in offsets.values())
        if any(one.metadata for one in offsets.values()):
            raise OffsetMetadataTooLargeError
        await commit(offsets)

    consumer.commit = strict
    await broker.acknowledge([second])
    await broker.acknowledge([first])
    assert told[0] != ""
    assert set(told[1:]) == {""}
    assert (await depth_of(broker, queue)).count == 0
