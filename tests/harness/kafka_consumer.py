"""A consumer process to be killed: it notes each message in a file, holds it for a moment, and acknowledges it.

``python kafka_consumer.py URL QUEUE FILE SECONDS``
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from fullhouse.infra.brokers.kafka import KafkaBroker
from fullhouse.infra.brokers.port import Delivery
from fullhouse.infra.system import make_id


async def consume(url: str, queue: str, file: Path, seconds: float) -> None:
    nobody: Any = None
    broker = KafkaBroker(url, nobody, make_id)
    await broker.declare({queue: {"thing.happened"}})

    async def handle(delivery: Delivery) -> None:
        with file.open("a", encoding="utf-8") as notes:
            notes.write(f"{delivery.message_id}\n")
        await asyncio.sleep(seconds)
        await broker.acknowledge([delivery])

    while True:
        deliveries = await broker.receive(queue, count_max=4, lease_seconds=10)
        await asyncio.gather(*map(handle, deliveries))


if __name__ == "__main__":
    asyncio.run(consume(sys.argv[1], sys.argv[2], Path(sys.argv[3]), float(sys.argv[4])))
