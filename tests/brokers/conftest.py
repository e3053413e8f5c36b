"""A broker of each kind that there is: every one passes the same tests."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest

from fullhouse.infra.brokers import open_broker
from fullhouse.infra.brokers.port import Broker
from fullhouse.infra.system import make_id

OpenBroker = Callable[[Mapping[str, set[str]]], Awaitable[Broker]]


@pytest.fixture(params=["postgres"])
async def open_brokers(request: pytest.FixtureRequest, pool: Any, database_url: str) -> AsyncIterator[OpenBroker]:
    """Open a broker with queues, as one process does; call it again for a second process."""
    async with AsyncExitStack() as stack:

        async def opened(queues: Mapping[str, set[str]]) -> Broker:
            broker = open_broker(request.param, pool=pool, database_url=database_url, make_id=make_id)
            stack.push_async_callback(broker.close)
            await broker.declare(queues)
            return broker

        yield opened


@pytest.fixture
def queue() -> str:
    """Name a queue of this test alone."""
    return f"queue-{uuid4()}"
