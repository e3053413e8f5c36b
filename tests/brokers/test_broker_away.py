"""Relay and consumer while their broker is killed, cut off and away: nothing lost, the order of a key kept, once each.

``FULLHOUSE_TEST_AWAY_SECONDS`` says how long a broker stays away (``make chaos``: a minute). What RabbitMQ alone can
suffer stands in ``test_rabbitmq_faults.py``, and what Kafka alone can in ``test_kafka_faults.py``.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from harness.aws import running_ministack
from harness.kafka_server import KafkaServer
from harness.proxy import Proxy, proxy_to
from harness.rabbitmq import own_server
from harness.riding import QUEUE, WANTED, riding
from harness.services import with_prefix
from yarl import URL

from fullhouse.infra.brokers import open_broker
from fullhouse.infra.brokers.port import Broker
from fullhouse.infra.system import make_id

AWAY_SECONDS = float(os.environ.get("FULLHOUSE_TEST_AWAY_SECONDS", "5"))
PATIENCE_SECONDS = 90.0
SETTLED_SECONDS = 3.0
"""RabbitMQ writes what it knows of a new queue (not of its messages) to the disk within a second, and not before."""


class Opened:
    """Opens brokers on a database of the test's own."""

    def __init__(self, stack: AsyncExitStack, pool: Any, database_url: str) -> None:
        self.stack = stack
        self.pool = pool
        self.database_url = database_url

    async def broker(self, url: str) -> Broker:
        own = with_prefix(url, f"away{uuid4().hex[:10]}")
        broker = open_broker(own, pool=self.pool, database_url=self.database_url, make_id=make_id)
        self.stack.push_async_callback(broker.close)
        await broker.declare({QUEUE: WANTED})
        return broker


@pytest.fixture
async def opened(fresh_pool: Any, fresh_database: str) -> AsyncIterator[Opened]:
    async with AsyncExitStack() as stack:
        yield Opened(stack, fresh_pool, fresh_database)


async def ride_out_sqs(opened: Opened, away_seconds: float) -> None:
    """Cut every connection to SQS, in mid-request, and refuse new ones for a while."""
    with running_ministack() as url:
        there = URL(URL(url).query["endpoint"])
        assert there.host is not None
        assert there.port is not None
        async with proxy_to(there.host, there.port) as proxy:
            endpoint = str(there.with_port(proxy.own_port)).rstrip("/")
            broker = await opened.broker(str(URL(url).update_query(endpoint=endpoint)))
            async with riding(broker, opened.pool, opened.database_url, PATIENCE_SECONDS) as ride:
                await ride.write_for(0.3)
                proxy.cut_after_bytes = 2_000
                await ride.write_for(0.3)
                proxy.refuses = True
                proxy.cut()
                await ride.write_for(away_seconds)
                proxy.refuses = False
                await ride.write_for(0.3)


async def test_sqs_that_is_away_for_a_moment_is_ridden_out(opened: Opened) -> None:
    await ride_out_sqs(opened, 0.3)


@pytest.mark.chaos
@pytest.mark.timeout(240 + 2 * AWAY_SECONDS)
async def test_sqs_that_stays_away_is_ridden_out(opened: Opened) -> None:
    await ride_out_sqs(opened, AWAY_SECONDS)


@pytest.mark.chaos
@pytest.mark.timeout(240 + 2 * AWAY_SECONDS)
async def test_rabbitmq_that_is_killed_and_stays_away_is_ridden_out(opened: Opened, tmp_path: Path) -> None:
    with own_server(tmp_path / "rabbitmq") as server:
        broker = await opened.broker(server.url)
        async with riding(broker, opened.pool, opened.database_url, PATIENCE_SECONDS) as ride:
            await ride.write_for(SETTLED_SECONDS)
            await asyncio.gather(asyncio.to_thread(server.kill), ride.write_for(AWAY_SECONDS))
            await asyncio.gather(asyncio.to_thread(server.start), ride.write_for(2))


@pytest.mark.chaos
@pytest.mark.timeout(240 + 2 * AWAY_SECONDS)
async def test_kafka_that_is_killed_and_stays_away_is_ridden_out(opened: Opened, kafka: KafkaServer) -> None:
    broker = await opened.broker(kafka.url("partitions=3"))
    async with riding(broker, opened.pool, opened.database_url, PATIENCE_SECONDS) as ride:
        await ride.write_for(1)
        await asyncio.gather(asyncio.to_thread(kafka.kill), ride.write_for(AWAY_SECONDS))
        await asyncio.gather(asyncio.to_thread(kafka.start), ride.write_for(2))


@pytest.fixture
async def cut_off(kafka: KafkaServer) -> AsyncIterator[Proxy]:
    """Put a proxy before a listener of Kafka that sends its clients back to the proxy."""
    with kafka.prepared_listener() as listener:
        async with proxy_to("127.0.0.1", listener.port) as proxy:
            await asyncio.to_thread(listener.open, f"127.0.0.1:{proxy.own_port}")
            yield proxy


@pytest.mark.chaos
@pytest.mark.timeout(240)
async def test_connections_to_kafka_cut_in_mid_batch_are_ridden_out(cut_off: Proxy, opened: Opened) -> None:
    broker = await opened.broker(f"kafka://127.0.0.1:{cut_off.own_port}?partitions=3")
    async with riding(broker, opened.pool, opened.database_url, PATIENCE_SECONDS) as ride:
        await ride.write_for(1)
        for cut_after_bytes in (500, 3_000, 8_000, 20_000):
            cut_off.cut_after_bytes = cut_after_bytes
            await ride.write_for(1.5)
            assert cut_off.cut_after_bytes is None, "it was cut"
