"""A part of the worker as a process of its own, with things of the tests in place of the product's tables.

Run as ``python -m harness.worker_process relay DATABASE`` or ``… schedule DATABASE NAME``. The schedule writes its name
into the table ``ticks``.
"""

import asyncio
import sys

from fullhouse.core.message import Message
from fullhouse.infra.mailer import open_mailer
from fullhouse.infra.object_store import open_object_store
from fullhouse.infra.postgres import EVERY_ORGANIZATION, connection, open_pool
from fullhouse.infra.resources import Resources, open_valkey
from fullhouse.workers import relay_outbox
from fullhouse.workers.react import Subscription
from fullhouse.workers.run import Work, run_worker
from fullhouse.workers.run_schedule import Job

QUEUE = "things"
TYPES = frozenset({"thing.happened", "poison.happened"})
BATCH_COUNT_MAX = 20
"""Small, so that a relay is always in the middle of something."""


async def ignore(_message: Message) -> None:
    """Nobody consumes here: the test reads the queue itself."""


async def work(part: str, database_url: str, name: str) -> None:
    pool = await open_pool(database_url, application_name="a part of the worker")

    async def tick() -> int:
        async with connection(pool, EVERY_ORGANIZATION) as conn:
            await conn.execute("INSERT INTO ticks (name) VALUES ($1)", name)
        return 0

    resources = Resources(
        pool=pool,
        valkey=open_valkey("valkey://127.0.0.1:1"),
        object_store=open_object_store("/nonexistent"),
        mailer=open_mailer("/nonexistent", "nobody@example.org"),
        broker_url="postgres",
        database_url=database_url,
        secret_key=b"k" * 32,
        public_url="http://tickets.example",
    )
    tables = Work([Subscription(QUEUE, TYPES, outside=ignore)], [Job("tick", 0.05, tick)])
    await run_worker(resources, tables, asyncio.Event(), parts=frozenset({part}))


if __name__ == "__main__":
    relay_outbox.BATCH_COUNT_MAX = BATCH_COUNT_MAX
    asyncio.run(work(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else ""))
