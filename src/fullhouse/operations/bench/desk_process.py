"""One process with a desk, that sells one session as fast as it can: two of them are compared with one.

``python -m fullhouse.operations.bench.desk_process URL SESSION TICKET_TYPE CALLERS SECONDS`` warms up, says so,
waits for a line, sells, and prints holds a second.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import uvloop

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, open_pool
from fullhouse.reservations.place_reservation import BoxOffice
from fullhouse.reservations.rules import ItemRequest

WARM_UP_SECONDS: Final = 0.3
_FINGERPRINT: Final = b"fingerprint"


def open_office(pool: Pool) -> BoxOffice:
    """Open the desks of one process, outside the API."""
    return BoxOffice(pool, system.make_id, system.randomness(32))


async def sell(
    office: BoxOffice, session_id: UUID, items: Sequence[ItemRequest], callers: int, seconds: float
) -> float:
    """Hold the same again and again for a number of callers, each hold with a key; return whole holds a second."""
    done, run = 0, system.random_text(6)
    until = time.monotonic() + seconds

    async def caller(number: int) -> None:
        nonlocal done
        turn = 0
        while time.monotonic() < until:
            await office.place_reservation(session_id, items, f"{run}{number}-{turn}", _FINGERPRINT)
            turn += 1
            done += 1

    began = time.monotonic()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    return done / (time.monotonic() - began)


async def _main(url: str, session_id: UUID, ticket_type_id: UUID, callers: int, seconds: float) -> None:
    pool = await open_pool(url, size_max=8, application_name="fullhouse-bench-desk")
    items = (ItemRequest(ticket_type_id, quantity=1),)
    office = open_office(pool)
    await sell(office, session_id, items, callers, WARM_UP_SECONDS)
    print("ready", flush=True)  # noqa: T201 (its parent reads it)
    await asyncio.to_thread(sys.stdin.readline)
    print(await sell(office, session_id, items, callers, seconds), flush=True)  # noqa: T201 (the same)
    await office.close()
    await pool.close()


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], UUID(sys.argv[2]), UUID(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])))
