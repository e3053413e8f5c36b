"""What RabbitMQ has of its own: unroutable messages, its dead-letter exchange, standing by, prefixes, refusals."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from harness.messages import message
from harness.rabbitmq import channel_on, prefix_of, remove_installation
from harness.services import RABBITMQ, with_prefix
from harness.waiting import until

from fullhouse.infra.brokers import open_broker, rabbitmq_link
from fullhouse.infra.brokers.cloud_events import from_cloud_event
from fullhouse.infra.brokers.dead_letters import list_dead_letters, replay_dead_letter
from fullhouse.infra.brokers.port import Broker, BrokerUnavailable, Delivery, MessageRefused
from fullhouse.infra.system import make_id

LEASE = 30.0
WANTED = {"thing.happened"}
Open = Callable[[Mapping[str, set[str]]], Awaitable[Broker]]


@pytest.fixture
async def url(queue: str) -> AsyncIterator[str]:
    mine = with_prefix(RABBITMQ.needed_url(), f"test{uuid4().hex[:12]}")
    yield mine
    await remove_installation(mine, [queue, f"{queue}-other"])


@pytest.fixture
async def opened(url: str, pool: Any) -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def opened(queues: Mapping[str, set[str]]) -> Broker:
            broker = open_broker(url, pool=pool, database_url="", make_id=make_id)
            stack.push_async_callback(broker.close)
            await broker.declare(queues)
            return broker

        yield opened


async def take(broker: Broker, queue: str) -> Delivery:
    async with asyncio.timeout(30):
        while True:
            if got := await broker.receive(queue, count_max=1, lease_seconds=LEASE):
                return got[0]
            await broker.wait(queue, 0.05)


async def test_message_without_a_queue_to_take_it_is_an_error_and_the_queue_is_made_again(
    opened: Open, url: str, queue: str
) -> None:
    broker = await opened({queue: WANTED})
    await broker.publish([message()])
    async with channel_on(url) as channel:
        await channel.queue_delete(f"{prefix_of(url)}.{queue}")
    sent = message()

    with pytest.raises(BrokerUnavailable, match="NO_ROUTE"):
        await broker.publish([sent])
    await broker.publish([sent])

    assert (await take(broker, queue)).message_id == sent.message_id


async def test_consumer_whose_queue_was_deleted_consumes_the_one_that_is_made_again(
    opened: Open, url: str, queue: str
) -> None:
    broker = await opened({queue: WANTED})
    assert await broker.receive(queue, count_max=1, lease_seconds=LEASE) == []
    async with channel_on(url) as channel:
        await channel.queue_delete(f"{prefix_of(url)}.{queue}")
    sent = message()

    async def is_published() -> bool:
        try:
            await broker.publish([sent])
        except BrokerUnavailable:
            return False
        return True

    await until(is_published)
    assert (await take(broker, queue)).message_id == sent.message_id


async def test_message_that_is_too_large_is_refused_and_the_others_pass(opened: Open, queue: str) -> None:
    broker = await opened({queue: WANTED})
    large, small = message(text="x" * 17_000_000), message()

    with pytest.raises(MessageRefused):
        await broker.publish([large])
    await broker.publish([small])

    assert (await take(broker, queue)).message_id == small.message_id


async def test_what_is_no_message_of_ours_is_put_aside_and_harms_nobody(
    opened: Open, url: str, queue: str, pool: Any
) -> None:
    broker = await opened({queue: WANTED})
    await broker.receive(queue, count_max=1, lease_seconds=LEASE)
    async with channel_on(url) as channel:
        for body in (b"no json", b"[1]", b'{"specversion": "1.0"}', b"\xff"):
            await channel.default_exchange.publish(aio_pika.Message(body), f"{prefix_of(url)}.{queue}")
        await broker.publish([message(number=1)])
        assert from_cloud_event((await take(broker, queue)).body).data == {"number": 1}

        unreadable = await channel.get_queue(f"{prefix_of(url)}.unreadable")
        bodies: list[bytes] = []

        async def four_are_there() -> bool:
            if got := await unreadable.get(no_ack=True, fail=False):
                bodies.append(got.body)
            return len(bodies) == 4

        await until(four_are_there)
    assert sorted(bodies) == sorted([b"no json", b"[1]", b'{"specversion": "1.0"}', b"\xff"])
    assert await list_dead_letters(pool, queue=queue) == []


async def test_message_that_ends_every_process_becomes_a_dead_letter_and_can_be_replayed(
    opened: Open, queue: str, pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rabbitmq_link, "DELIVERY_LIMIT", 2)
    sent = message(number=1)
    await (await opened({queue: WANTED})).publish([sent])
    attempts: list[int] = []
    for _ in range(3):
        dying = await opened({queue: WANTED})
        attempts.append((await take(dying, queue)).attempts)
        await dying.close()

    next_one = await opened({queue: WANTED})
    await next_one.receive(queue, count_max=1, lease_seconds=LEASE)
    await until(lambda: list_dead_letters(pool, queue=queue))
    (letter,) = await list_dead_letters(pool, queue=queue)

    assert attempts == [1, 2, 3]
    assert (letter.message_id, letter.key, letter.organization_id) == (sent.message_id, sent.key, sent.organization_id)
    assert letter.reason == "RabbitMQ took it out of the queue: delivery_limit"
    await replay_dead_letter(pool, next_one, letter.dead_letter_id)
    again = await take(next_one, queue)
    assert (again.message_id, again.attempts) == (sent.message_id, 1)


async def test_process_that_stands_by_takes_over_in_order(opened: Open, queue: str) -> None:
    active, standby = await opened({queue: WANTED}), await opened({queue: WANTED})
    await active.receive(queue, count_max=1, lease_seconds=LEASE)
    await standby.receive(queue, count_max=1, lease_seconds=LEASE)
    key = uuid4()
    sent = [message(key, number=number) for number in range(20)]
    await standby.publish(sent)
    for number in range(5):
        delivery = await take(active, queue)
        assert from_cloud_event(delivery.body).data == {"number": number}
        await active.acknowledge([delivery])
    in_hand = await take(active, queue)
    assert await standby.receive(queue, count_max=9, lease_seconds=LEASE) == []

    await active.close()

    got: list[Any] = []
    for _ in range(15):
        delivery = await take(standby, queue)
        got.append(from_cloud_event(delivery.body).data["number"])
        await standby.acknowledge([delivery])
    assert got == list(range(5, 20))
    # The first owner's word counts no more.
    await active.acknowledge([in_hand])
    assert [depth.count for depth in await standby.depth()] == [0]


async def test_installations_with_different_prefixes_share_a_server_and_nothing_else(
    opened: Open, url: str, queue: str, pool: Any
) -> None:
    mine = await opened({queue: WANTED})
    other_url = with_prefix(url, f"test{uuid4().hex[:12]}")
    other = open_broker(other_url, pool=pool, database_url="", make_id=make_id)
    await other.declare({queue: WANTED})
    await other.publish([message(number=2)])
    await mine.publish([message(number=1)])

    assert from_cloud_event((await take(mine, queue)).body).data == {"number": 1}
    assert from_cloud_event((await take(other, queue)).body).data == {"number": 2}
    await other.close()
    await remove_installation(other_url, [queue])


async def test_anybody_may_bind_a_queue_to_every_fact(opened: Open, url: str, queue: str) -> None:
    broker = await opened({queue: WANTED})
    await broker.depth()
    async with channel_on(url) as channel:
        listening = await channel.declare_queue(exclusive=True)
        await listening.bind(f"{prefix_of(url)}.messages", routing_key="#")
        sent = [message(type_="nobody.here.cares"), message()]
        await broker.publish(sent)
        got = [await listening.get(timeout=10), await listening.get(timeout=10)]
    assert [envelope.message_id for envelope in got if envelope] == [str(one.message_id) for one in sent]


async def test_depth_ages_what_the_active_process_holds(opened: Open, queue: str) -> None:
    broker = await opened({queue: WANTED})
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    await broker.publish([replace(message(), occurred_at=hour_ago)])
    await take(broker, queue)

    (depth,) = await broker.depth()

    assert (depth.queue, depth.count) == (queue, 1)
    assert 3600 <= (depth.oldest_seconds or 0) < 3700


async def test_server_that_is_away_is_told_apart(pool: Any) -> None:
    away = open_broker("amqp://guest:guest@127.0.0.1:1/", pool=pool, database_url="", make_id=make_id)
    await away.declare({"queue": WANTED})
    for call in (away.publish([message()]), away.receive("queue", count_max=1, lease_seconds=1), away.depth()):
        with pytest.raises(BrokerUnavailable, match="RabbitMQ: "):
            await call
    await away.wait("queue", 0.01)
    await away.close()


async def test_wrong_password_is_said(pool: Any) -> None:
    url = RABBITMQ.needed_url().replace("guest:guest", "guest:wrong")
    broker = open_broker(url, pool=pool, database_url="", make_id=make_id)
    await broker.declare({"queue": WANTED})
    with pytest.raises(BrokerUnavailable, match=r"ACCESS_REFUSED|login|auth"):
        await broker.publish([message()])
    await broker.close()
