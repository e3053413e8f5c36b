"""What every broker promises: at least once, in order per key, nothing lost, nothing blocked by another key."""

import asyncio
from typing import Any
from uuid import uuid4

from harness.messages import message
from harness.waiting import until

from fullhouse.infra.brokers.cloud_events import from_cloud_event, to_cloud_event
from fullhouse.infra.brokers.port import Broker, Delivery

LEASE = 30.0
REMEMBERS_WHAT_WAITS = {"postgres", "sqs"}
"""Brokers in which a message that waits is not entered a second time; with the others its consumer notices."""

SHORT_LEASE = 0.05


QUIET_SECONDS = 0.3
"""How long a test looks for a message that must not come."""


async def receive_all(broker: Broker, queue: str, count: int) -> list[Delivery]:
    """Receive until there are that many; a server needs a moment to hand over what it has confirmed."""
    got: list[Delivery] = []
    async with asyncio.timeout(30):
        while len(got) < count:
            got += await broker.receive(queue, count_max=100, lease_seconds=LEASE)
            if len(got) < count:
                await broker.wait(queue, 0.05)
    assert len(got) == count
    return got


async def receive_one(broker: Broker, queue: str, lease_seconds: float = LEASE) -> Delivery:
    async with asyncio.timeout(30):
        while True:
            if got := await broker.receive(queue, count_max=1, lease_seconds=lease_seconds):
                return got[0]
            await broker.wait(queue, 0.05)


async def nothing_comes(broker: Broker, queue: str) -> bool:
    """Look for a while; say whether the queue gave nothing."""
    until = asyncio.get_running_loop().time() + QUIET_SECONDS
    while asyncio.get_running_loop().time() < until:
        if await broker.receive(queue, count_max=100, lease_seconds=LEASE):
            return False
        await broker.wait(queue, 0.05)
    return True


def ids(deliveries: list[Delivery]) -> list[Any]:
    return [delivery.message_id for delivery in deliveries]


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

    assert ids(await receive_all(broker, queue, 1)) == [happened.message_id]
    assert set(ids(await receive_all(broker, other, 2))) == {happened.message_id, ended.message_id}
    assert await nothing_comes(broker, queue)
    assert await nothing_comes(broker, other)


async def test_later_message_of_a_key_waits_for_the_earlier_one(open_brokers: Any, queue: str) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    key = uuid4()
    first, second, elsewhere = message(key), message(key), message()
    await broker.publish([first, second, elsewhere])

    got = await receive_all(broker, queue, 2)
    assert set(ids(got)) == {first.message_id, elsewhere.message_id}
    assert await nothing_comes(broker, queue)

    await broker.acknowledge(got)
    assert ids(await receive_all(broker, queue, 1)) == [second.message_id]


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
            await consumer.wait(queue, 0.01)

    await asyncio.gather(*map(consume, consumers))
    assert seen == {key: [0, 1, 2, 3, 4] for key in keys}


async def test_message_of_a_consumer_that_died_comes_again_with_its_attempts_counted(
    open_brokers: Any, queue: str
) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    await broker.publish([message()])
    lost = await receive_one(broker, queue, SHORT_LEASE)

    again = await receive_one(broker, queue)

    assert (again.message_id, again.attempts) == (lost.message_id, 2)
    await broker.acknowledge([lost])
    await broker.retry_later(lost, 0)
    await broker.dead_letter(lost, "too late")
    assert await nothing_comes(broker, queue)
    assert [depth.count for depth in await broker.depth() if depth.queue == queue] == [1]


async def test_lease_that_is_extended_keeps_the_message_hidden(open_brokers: Any, queue: str) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    await broker.publish([message()])
    delivery = await receive_one(broker, queue, SHORT_LEASE)

    await broker.extend(delivery, LEASE)
    await asyncio.sleep(2 * SHORT_LEASE)
    assert await nothing_comes(broker, queue)

    await broker.extend(delivery, 0)
    again = await receive_one(broker, queue)
    await broker.extend(delivery, LEASE)
    await broker.retry_later(again, 0)
    assert (await receive_one(broker, queue)).attempts == 3


async def test_message_given_back_comes_after_its_delay_and_its_key_waits(open_brokers: Any, queue: str) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    key = uuid4()
    first, second = message(key), message(key)
    await broker.publish([first, second])

    await broker.retry_later(await receive_one(broker, queue), 3600)
    assert await nothing_comes(broker, queue)

    third = message()
    await broker.publish([third])
    delivery = await receive_one(broker, queue)
    assert delivery.message_id == third.message_id
    await broker.retry_later(delivery, 0.01)
    again = await receive_one(broker, queue)
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


async def test_message_published_twice_while_it_waits_comes_at_most_twice_and_in_its_place(
    open_brokers: Any, queue: str, broker_name: str
) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    key = uuid4()
    first, second = message(key), message(key)
    await broker.publish([first, second])
    await broker.publish([first, second])

    seen: list[Any] = []
    while not seen or not await _is_empty(broker, queue):
        delivery = await receive_one(broker, queue)
        await broker.acknowledge([delivery])
        seen.append(delivery.message_id)

    once = [first.message_id, second.message_id]
    assert seen == once if broker_name in REMEMBERS_WHAT_WAITS else seen in (once, once + once)


async def _is_empty(broker: Broker, queue: str) -> bool:
    got = await broker.receive(queue, count_max=1, lease_seconds=LEASE)
    if not got:
        await asyncio.sleep(QUIET_SECONDS)
        got = await broker.receive(queue, count_max=1, lease_seconds=LEASE)
    for delivery in got:
        await broker.retry_later(delivery, 0)
    return not got


async def test_publishing_wakes_who_waits(open_brokers: Any, queue: str) -> None:
    consumer = await open_brokers({queue: {"thing.happened"}})
    publisher = await open_brokers({queue: {"thing.happened"}})
    assert await nothing_comes(consumer, queue)
    waiting = asyncio.create_task(consumer.wait(queue, 60))

    await publisher.publish([message()])

    async with asyncio.timeout(20):
        await waiting
    assert len(await receive_all(consumer, queue, 1)) == 1


async def test_wake_up_between_looking_and_waiting_is_kept(open_brokers: Any, queue: str) -> None:
    broker = await open_brokers({queue: {"thing.happened"}})
    assert await nothing_comes(broker, queue)
    await broker.publish([message()])
    async with asyncio.timeout(20):
        await broker.wait(queue, 60)


async def test_depth_counts_what_waits_in_each_queue(open_brokers: Any, queue: str) -> None:
    empty = queue + "-empty"
    broker = await open_brokers({queue: {"thing.happened"}, empty: {"thing.happened.never"}})
    await broker.publish([message(), message(), message()])

    async def counted(count: int) -> bool:
        depths = {depth.queue: depth for depth in await broker.depth()}
        return (depths[queue].count, depths[empty].count, depths[empty].oldest_seconds) == (count, 0, 0.0)

    await until(lambda: counted(3))
    await broker.acknowledge([await receive_one(broker, queue)])
    await until(lambda: counted(2))


async def test_what_was_published_is_there_for_a_process_that_comes_later(open_brokers: Any, queue: str) -> None:
    first = await open_brokers({queue: {"thing.happened"}})
    key = uuid4()
    sent = [message(key, number=number) for number in range(5)]
    await first.publish(sent)
    await first.acknowledge([await receive_one(first, queue)])
    lent = await receive_one(first, queue, SHORT_LEASE)
    await first.close()

    second = await open_brokers({queue: {"thing.happened"}})
    got: list[Delivery] = []
    for _ in range(4):
        got.append(await receive_one(second, queue))
        await second.acknowledge(got[-1:])

    assert lent.message_id == sent[1].message_id
    assert ids(got) == [one.message_id for one in sent[1:]]
    assert await nothing_comes(second, queue)


async def test_body_put_back_into_one_queue_reaches_no_other(open_brokers: Any, queue: str) -> None:
    other = queue + "-other"
    broker = await open_brokers({queue: {"thing.happened"}, other: {"thing.happened"}})
    sent = message(number=7)

    await broker.requeue(queue, to_cloud_event(sent))

    assert from_cloud_event((await receive_one(broker, queue)).body) == sent
    assert await nothing_comes(broker, other)
