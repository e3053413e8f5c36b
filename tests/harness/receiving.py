"""Waiting for what a broker has: what was sent is there soon, and not at once."""

import asyncio

from fullhouse.infra.brokers.port import Broker, Delivery

SECONDS_MAX = 60


async def received(broker: Broker, queue: str) -> Delivery:
    """Return the next message of a queue, when it has come."""
    async with asyncio.timeout(SECONDS_MAX):
        while not (got := await broker.receive(queue, count_max=1, lease_seconds=30)):
            await broker.wait(queue, 0.1)
    return got[0]
