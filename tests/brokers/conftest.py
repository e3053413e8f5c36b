"""A broker of each kind that there is: every one passes the same tests, each against its real server."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest
from harness.kafka_server import ROOT, KafkaServer, remove_topics, running_kafka
from harness.rabbitmq import remove_installation
from harness.services import SERVICES, with_prefix

from fullhouse.infra.brokers import POSTGRES, open_broker
from fullhouse.infra.brokers.kafka import KafkaBroker
from fullhouse.infra.brokers.port import Broker
from fullhouse.infra.system import make_id

OpenBroker = Callable[[Mapping[str, set[str]]], Awaitable[Broker]]

# One line for each file in infra/brokers; a broker without a server here is skipped by name, and fails in CI.
BROKERS = ["postgres", "rabbitmq", "kafka", "sqs"]


@pytest.fixture(params=BROKERS)
def broker_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def broker_url(broker_name: str, queue: str) -> AsyncIterator[str]:
    """Name a broker on which this test is alone."""
    if broker_name == POSTGRES:
        yield POSTGRES
        return
    url = with_prefix(SERVICES[broker_name].needed_url(), f"test{uuid4().hex[:12]}")
    if broker_name == "kafka":
        url += "&partitions=3"
    yield url
    if broker_name == "kafka":
        await remove_topics(url)
    if broker_name == "rabbitmq":
        await remove_installation(url, [queue, f"{queue}-other", f"{queue}-empty"])


@pytest.fixture
async def open_brokers(broker_url: str, pool: Any, database_url: str) -> AsyncIterator[OpenBroker]:
    """Open a broker with queues, as one process does; call it again for a second process."""
    async with AsyncExitStack() as stack:

        async def opened(queues: Mapping[str, set[str]]) -> Broker:
            broker = open_broker(broker_url, pool=pool, database_url=database_url, make_id=make_id)
            stack.push_async_callback(broker.close)
            await broker.declare(queues)
            return broker

        yield opened


@pytest.fixture
def queue() -> str:
    """Name a queue of this test alone."""
    return f"queue-{uuid4()}"


@pytest.fixture(scope="session")
def kafka(worker_number: int) -> Iterator[KafkaServer]:
    """Run a Kafka of our own: a test that stops or kills it starts it again."""
    with running_kafka(ROOT / ".data" / f"test-{os.getpid()}-{worker_number}-kafka") as server:
        yield server


@pytest.fixture
async def open_kafka(kafka: KafkaServer, pool: Any) -> AsyncIterator[Callable[..., Awaitable[KafkaBroker]]]:
    """Open a broker on our own Kafka with queues, as one process does."""
    async with AsyncExitStack() as stack:

        async def opened(queues: Mapping[str, set[str]], options: str = "partitions=3") -> KafkaBroker:
            broker = KafkaBroker(kafka.url(options), pool, make_id)
            stack.push_async_callback(broker.close)
            await broker.declare(queues)
            return broker

        yield opened
