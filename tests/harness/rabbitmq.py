"""Looking into a RabbitMQ server from beside the product, and cleaning up what a test made there."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractChannel
from yarl import URL


def prefix_of(url: str) -> str:
    return URL(url).query["prefix"]


@asynccontextmanager
async def channel_on(url: str) -> AsyncGenerator[AbstractChannel]:
    """Open a channel of a client that is not the product."""
    connection = await aio_pika.connect(str(URL(url).without_query_params("prefix")))
    async with connection:
        yield await connection.channel()


async def remove_installation(url: str, queues: Iterable[str]) -> None:
    """Remove everything with the prefix of the URL from the server."""
    prefix = prefix_of(url)
    async with channel_on(url) as channel:
        for queue in (*queues, "dead-letters", "unreadable"):
            await channel.queue_delete(f"{prefix}.{queue}")
        for exchange in ("messages", "dead-letters"):
            await channel.exchange_delete(f"{prefix}.{exchange}")
