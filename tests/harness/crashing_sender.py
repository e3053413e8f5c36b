"""A real sender process that kills itself, as ``kill -9`` would, right before or right after one step.

Run as ``python -m harness.crashing_sender DATABASE AUTHORITY STEP``; STEP is ``before|after module:name``.
"""

import asyncio
import sys
from pathlib import Path

from fullhouse.infra.postgres import open_pool
from fullhouse.webhooks.send_deliveries import Sender
from harness.crashing_worker import plant
from harness.receivers import outside_of
from harness.webhooks import means_of


async def send(database_url: str, trusted: Path) -> None:
    """Send until something kills the process."""
    pool = await open_pool(database_url)
    await Sender(pool, means_of(outside_of(trusted))).run_until(asyncio.Event())


if __name__ == "__main__":
    plant(sys.argv[3])
    asyncio.run(send(sys.argv[1], Path(sys.argv[2])))
