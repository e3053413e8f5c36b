"""What every broker promises: at least once, in order per key, nothing lost, nothing blocked by another key."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from harness.messages import message

from fullhouse.infra.brokers import open_broker
from fullhouse.infra.brokers.cloud_events import from_cloud_event
from fullhouse.infra.brokers.port import Broker, Delivery, MessageRefused
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.system import make_id

LEASE = 30.0
SHORT_LEASE = 0.05


async def receive_all(broker: Broker, queue: str) -> list[Delivery]:
    return await broker.receive(queue, count_max=100, lease_seconds=LEASE)


async def receive_one(broker: Broker, queue: str, lease_seconds: float = LEASE) -> Delivery:
    (delivery,) = await broker.receive(queue, count_max=1, lease_seconds=lease_seconds)
    return delivery


async def receive_when_ready(broker: Broker, queue: str) -> Delivery:
    async with asyncio.timeout(20):
        while True:
            if got := await broker.receive(queue, count_max=1, lease_seconds=LEASE):
                return got[0]
            await broker.wait(queue, 0.05)


async def test_message_arrives_as_it_was_published(open_brokers: Any, queue: str) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    sent = message(number=1, name="Zoë 日本", nested={"list": [1, None, True]})

    await broker.publish([sent])
    delivery = await receive_one(broker, queue)

    assert from_cloud_event(delivery.body) == sent
    assert (delivery.queue, delivery.message_id, delivery.key) == (queue, sent.message_id, sent.key)
    assert (delivery.organization_id, delivery.attempts) == (sent.organization_id, 1)
    assert delivery.body["type"] == "thing.happened.v1"
    assert delivery.body["partitionkey"] == str(sent.key)


async def test_each_queue_gets_only_the_types_that_it_wants(open_brokers: Any, queue: str) -> None:
    other = queue + "-other"
    broker = await open_brokers({queue: {"thing.happened"}, other: {"thing.happened", "thing.ended"}})
    happened, ended, unwanted = message(), message(type_="thing.ended"), message(type_="nobody.cares")

    await broker.publish([happened, ended, unwanted])

    assert [d.message_id for d in await receive_all(broker, queue)] == [happened.message_id]
    assert [d.message_id for d in await receive_all(broker, other)] == [happened.message_id, ended.message_id]


async def test_later_message_of_a_key_waits_for_the_earlier_one(open_brokers: Any, queue: str) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    key = uuid4()
    first, second, elsewhere = message(key), message(key), message()
    await broker.publish([first, second, elsewhere])

    got = await receive_all(broker, queue)
    assert [d.message_id for d in got] == [first.message_id, elsewhere.message_id]
    assert await receive_all(broker, queue) == []

    await broker.acknowledge(got)
    assert [d.message_id for d in await receive_all(broker, queue)] == [second.message_id]


async def test_consumers_at_once_never_get_the_same_message_nor_one_key_twice(open_brokers: Any, queue: str) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    keys = [uuid4() for _ in range(10)]
    messages = [message(key, number=number) for number in range(5) for key in keys]
    await broker.publish(messages)
    consumers = [await open_brokers({queue: {"thing.happened"}}) for _ in range(8)]
    seen: dict[Any, list[int]] = {key: [] for key in keys}
    in_hand: set[Any] = set()
    start = asyncio.Barrier(len(consumers))

    async def consume(consumer: Broker) -> None:
        await start.wait()
        while sum(map(len, seen.values())) < len(messages):
            for delivery in await consumer.receive(queue, count_max=3, lease_seconds=LEASE):
                assert delivery.key not in in_hand
                in_hand.add(delivery.key)
                await asyncio.sleep(0)
                seen[delivery.key].append(from_cloud_event(delivery.body).data["number"])  # pyright: ignore[reportArgumentType]
                in_hand.remove(delivery.key)
                await consumer.acknowledge([delivery])

    await asyncio.gather(*map(consume, consumers))
    assert seen == {key: [0, 1, 2, 3, 4] for key in keys}


async def test_message_of_a_consumer_that_died_comes_again_with_its_attempts_counted(
    open_brokers: Any, queue: str
) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    await broker.publish([message()])
    lost = await receive_one(broker, queue, SHORT_LEASE)

    again = await receive_when_ready(broker, queue)

    assert (again.message_id, again.attempts) == (lost.message_id, 2)
    await broker.acknowledge([lost])
    await broker.retry_later(lost, 0)
    await broker.dead_letter(lost, "too late")
    assert await receive_all(broker, queue) == []
    assert [depth.count for depth in await broker.depth() if depth.queue == queue] == [1]


async def test_lease_that_is_extended_keeps_the_message_hidden(open_brokers: Any, queue: str) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    await broker.publish([message()])
    delivery = await receive_one(broker, queue, SHORT_LEASE)

    await broker.extend(delivery, LEASE)
    await asyncio.sleep(2 * SHORT_LEASE)
    assert await receive_all(broker, queue) == []

    await broker.extend(delivery, 0)
    again = await receive_when_ready(broker, queue)
    await broker.extend(delivery, LEASE)
    await broker.retry_later(again, 0)
    assert (await receive_when_ready(broker, queue)).attempts == 3


async def test_message_given_back_comes_after_its_delay_and_its_key_waits(open_brokers: Any, queue: str) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    key = uuid4()
    first, second = message(key), message(key)
    await broker.publish([first, second])

    await broker.retry_later(await receive_one(broker, queue), 3600)
    assert await receive_all(broker, queue) == []

    third = message()
    await broker.publish([third])
    delivery = await receive_one(broker, queue)
    assert delivery.message_id == third.message_id
    await broker.retry_later(delivery, 0.01)
    again = await receive_when_ready(broker, queue)
    assert (again.message_id, again.attempts) == (third.message_id, 2)


async def test_dead_letter_lets_its_key_go_on(open_brokers: Any, queue: str, pool: Any) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    key = uuid4()
    bad, good = message(key), message(key)
    await broker.publish([bad, good])

    await broker.dead_letter(await receive_one(broker, queue), "it cannot be")

    assert (await receive_one(broker, queue)).message_id == good.message_id
    row = await pool.fetchrow("SELECT * FROM dead_letters WHERE queue = $1", queue)
    assert (row["message_id"], row["key"], row["reason"], row["attempts"]) == (bad.message_id, key, "it cannot be", 1)
    assert from_cloud_event(row["body"]) == bad


async def test_message_published_twice_while_it_waits_stands_once_in_the_queue(open_brokers: Any, queue: str) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    sent = message()
    await broker.publish([sent])
    await broker.publish([sent])
    assert len(await receive_all(broker, queue)) == 1


async def test_publishing_wakes_who_waits(open_brokers: Any, queue: str) -> None:
    consumer = await open_brokers({queue: {"thing.happened"}})
    publisher = await open_brokers({queue: {"thing.happened"}})
    assert await receive_all(consumer, queue) == []
    waiting = asyncio.create_task(consumer.wait(queue, 60))

    await publisher.publish([message()])

    async with asyncio.timeout(20):
        await waiting
    assert len(await receive_all(consumer, queue)) == 1


async def test_wake_up_between_looking_and_waiting_is_kept(open_brokers: Any, queue: str) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    assert await receive_all(broker, queue) == []
    await broker.publish([message()])
    async with asyncio.timeout(20):
        await broker.wait(queue, 60)


async def test_depth_counts_each_queue_and_ages_its_oldest(open_brokers: Any, queue: str, pool: Any) -> None:
    empty = queue + "-empty"
    broker = await open_brokers({queue: {"thing.happened"}, empty: {"thing.happened.never"}})
    await broker.publish([message(), message()])
    await pool.execute(
        "UPDATE broker_messages SET enqueued_at = enqueued_at - interval '1 hour' WHERE queue = $1", queue
    )

    depths = {depth.queue: depth for depth in await broker.depth()}

    assert (depths[queue].count, depths[empty].count, depths[empty].oldest_seconds) == (2, 0, 0.0)
    assert 3600 <= depths[queue].oldest_seconds < 3700


async def test_refused_message_is_told_apart_from_a_broker_that_is_away(fresh_pool: Any, fresh_database: str) -> None:
    await fresh_pool.execute(
        "ALTER TABLE broker_messages ADD CONSTRAINT no_poison CHECK (body ->> 'type' <> 'poison.happened.v1')"
    )
    broker = open_broker("postgres", pool=fresh_pool, database_url=fresh_database, make_id=make_id)
    await broker.declare({"queue": {"poison.happened", "thing.happened"}})

    with pytest.raises(MessageRefused, match="no_poison"):
        await broker.publish([message(), message(type_="poison.happened")])

    assert await fresh_pool.fetchval("SELECT count(*) FROM broker_messages") == 0


async def test_unknown_broker_is_one_clear_line(pool: Any, database_url: str) -> None:
    with pytest.raises(OperatorError, match="the broker 'amqp' is not known; write 'postgres'"):
        open_broker("amqp://localhost", pool=pool, database_url=database_url, make_id=make_id)
