"""Measuring the queues of a broker that is not the database, beside everything else that a worker does."""

import asyncio
from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.infra.brokers.port import Broker
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection
from fullhouse.infra.queue_depths import MEASURE_SECONDS, note_depths
from fullhouse.infra.telemetry import get_log

_log = get_log("fullhouse.workers.measure")


async def measure_queues(pool: Pool, broker: Broker, kind: str, measured_by: UUID) -> bool:
    """Measure once and note it. A broker that is away leaves what was noted before to grow old: returns False."""
    try:
        depths = await broker.depth()
        async with connection(pool, EVERY_ORGANIZATION) as conn:
            await note_depths(conn, measured_by, kind, depths)
    except DomainError as error:
        _log.warning("queues_not_measured", reason=str(error))
        return False
    return True


async def keep_measuring(pool: Pool, broker: Broker, kind: str, measured_by: UUID, stop: asyncio.Event) -> None:
    """Measure from time to time until ``stop`` is set."""
    while not stop.is_set():
        await measure_queues(pool, broker, kind, measured_by)
        try:
            async with asyncio.timeout(MEASURE_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue
