"""The real worker, in the test's process or as a process of its own, and waiting until it has nothing left to do."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fullhouse.infra.resources import Resources
from fullhouse.settings import read_settings
from fullhouse.workers.run import PARTS, run_worker
from fullhouse.workers.work import work_of
from harness.stock import SERVER_KEY
from harness.waiting import until
from harness.web import make_resources

SETTINGS = read_settings({"FULLHOUSE_SIMULATED_PAYMENTS": "on", "FULLHOUSE_SIMULATED_LATE_SECONDS": "0"})

UNDER_WAY = """
    SELECT (SELECT count(*) FROM outbox WHERE sent_at IS NULL)
         + (SELECT count(*) FROM broker_messages)
         + (SELECT count(*) FROM simulated_charges WHERE notified_at IS NULL AND notify_at < clock_timestamp())
         + (SELECT count(*) FROM payment_notices WHERE applied_at IS NULL)
         + (SELECT count(*) FROM refunds WHERE status = 'requested')
         + (SELECT count(*) FROM audit_arrivals)
    """


def resources_on(pool: Any, valkey: Any, database_url: str, folder: Path) -> Resources:
    """Put together real parts on one database; mail goes into ``folder/mailbox``, documents into ``folder/objects``."""
    return make_resources(pool, valkey, folder, database_url=database_url, secret_key=SERVER_KEY)


@asynccontextmanager
async def running_worker(resources: Resources, parts: frozenset[str] = PARTS) -> AsyncGenerator[None]:
    """Run the whole worker beside the test, with the product's own tables of reactions and jobs."""
    stop = asyncio.Event()
    running = asyncio.create_task(run_worker(resources, work_of(resources, SETTINGS), stop, parts=parts))
    try:
        yield
    finally:
        stop.set()
        await running


async def drained(pool: Any, patience_seconds: float = 60.0) -> None:
    """Wait until no message, notice or refund is under way."""

    async def nothing_is_under_way() -> bool:
        return await pool.fetchval(UNDER_WAY) == 0

    await until(nothing_is_under_way, patience_seconds)
