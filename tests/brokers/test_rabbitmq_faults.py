"""RabbitMQ killed, cut off and silent: nothing confirmed is lost, a key keeps its order, repeats are all there is."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest
from harness.messages import message
from harness.proxy import Proxy, proxy_to
from harness.rabbitmq import OwnServer, own_server
from harness.services import with_prefix
from yarl import URL

from fullhouse.core.message import Message
from fullhouse.infra.brokers import open_broker
from fullhouse.infra.brokers.cloud_events import from_cloud_event
from fullhouse.infra.brokers.port import Broker, BrokerUnavailable
from fullhouse.infra.system import make_id

PATIENCE_SECONDS = 90.0
SETTLED_SECONDS = 3.0
"""RabbitMQ writes what it knows of a new queue (not of its messages) to the disk within a second, and not before."""

LEASE = 30.0
WANTED = {"thing.happened"}

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    with own_server(tmp_path_factory.mktemp("rabbitmq")) as running:
        yield running


@pytest.fixture
def url(server: OwnServer) -> str:
    return with_prefix(server.url, f"test{uuid4().hex[:12]}")


async def opened(stack: AsyncExitStack, url: str, pool: Any, queue: str) -> Broker:
    broker = open_broker(url, pool=pool, database_url="", make_id=make_id)
    stack.push_async_callback(broker.close)
    await broker.declare({queue: WANTED})
    return broker


async def published(broker: Broker, messages: list[Message]) -> int:
    """Publish until it is confirmed, as a relay does; return how often it had to be tried."""
    for tries in range(1, 200):
        try:
            await broker.publish(messages)
        except BrokerUnavailable:
            await asyncio.sleep(0.1)
        else:
            return tries
    raise AssertionError("never confirmed")


async def taken(broker: Broker, queue: str, count: int) -> dict[UUID, list[int]]:
    """Handle messages until there were that many different ones; return the numbers of each key as they came."""
    numbers: dict[UUID, list[int]] = {}
    seen: set[UUID] = set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(seen) < count:
            try:
                for delivery in await broker.receive(queue, count_max=50, lease_seconds=LEASE):
                    number: Any = from_cloud_event(delivery.body).data["number"]
                    numbers.setdefault(delivery.key, []).append(number)
                    seen.add(delivery.message_id)
                    await broker.acknowledge([delivery])
                await broker.wait(queue, 0.05)
            except BrokerUnavailable:
                await asyncio.sleep(0.1)
    return numbers


def first_times(numbers: list[int]) -> list[int]:
    return list(dict.fromkeys(numbers))


async def test_what_was_confirmed_survives_kill_9_of_the_server(
    server: OwnServer, url: str, pool: Any, queue: str
) -> None:
    keys = [uuid4() for _ in range(20)]
    sent = [message(key, number=number) for number in range(25) for key in keys]
    async with AsyncExitStack() as stack:
        broker = await opened(stack, url, pool, queue)
        await broker.publish(sent)
        await asyncio.sleep(SETTLED_SECONDS)
        in_hand = await broker.receive(queue, count_max=5, lease_seconds=LEASE)
        await asyncio.to_thread(server.kill)
        with pytest.raises(BrokerUnavailable):
            await broker.publish([message()])
        await asyncio.to_thread(server.start)

        numbers = await taken(broker, queue, len(sent))
        # An owner from before the fall has nothing to say any more.
        await broker.acknowledge(in_hand)

    assert {key: first_times(got) for key, got in numbers.items()} == {key: list(range(25)) for key in keys}


@pytest.fixture
async def proxy(server: OwnServer) -> AsyncIterator[Proxy]:
    there = URL(server.url)
    assert there.host is not None
    assert there.port is not None
    async with proxy_to(there.host, there.port) as running:
        yield running


def through(proxy: Proxy, url: str) -> str:
    return str(URL(url).with_port(proxy.own_port))


@pytest.mark.parametrize("cut_after_bytes", [500, 20_000, 60_000, 110_000])
async def test_connection_cut_in_mid_batch_loses_nothing_and_keeps_the_order(
    proxy: Proxy, url: str, pool: Any, queue: str, cut_after_bytes: int
) -> None:
    keys = [uuid4() for _ in range(8)]
    sent = [message(key, number=number) for number in range(25) for key in keys]
    async with AsyncExitStack() as stack:
        broker = await opened(stack, through(proxy, url), pool, queue)
        consumer = await opened(stack, url, pool, queue)
        await broker.depth()
        proxy.cut_after_bytes = cut_after_bytes

        assert await published(broker, sent) == 2
        numbers = await taken(consumer, queue, len(sent))

    assert {key: first_times(got) for key, got in numbers.items()} == {key: list(range(25)) for key in keys}


async def test_consumer_that_is_cut_off_gets_what_it_had_again_and_goes_on_in_order(
    proxy: Proxy, url: str, pool: Any, queue: str
) -> None:
    key = uuid4()
    async with AsyncExitStack() as stack:
        publisher = await opened(stack, url, pool, queue)
        consumer = await opened(stack, through(proxy, url), pool, queue)
        await publisher.publish([message(key, number=number) for number in range(30)])
        taking = asyncio.create_task(taken(consumer, queue, 30))
        for _ in range(3):
            await asyncio.sleep(0.2)
            proxy.cut()
        numbers = await taking
    assert first_times(numbers[key]) == list(range(30))


async def test_server_that_falls_silent_is_given_up_in_time(
    proxy: Proxy, url: str, pool: Any, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fullhouse.infra.brokers.rabbitmq.CONFIRM_SECONDS_MAX", 0.5)
    async with AsyncExitStack() as stack:
        broker = await opened(stack, through(proxy, url), pool, queue)
        await broker.publish([message(number=1)])
        proxy.is_silent = True
        with pytest.raises(BrokerUnavailable):
            await broker.publish([message(number=2)])
        proxy.is_silent = False
        proxy.cut()
        await published(broker, [message(number=3)])
