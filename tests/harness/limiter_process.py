"""A process that takes from one budget as often as it is told, once a line on its standard input says go.

``python -m harness.limiter_process VALKEY_URL QUOTA SUBJECT TRIES PROCESSES`` prints how often it was allowed.
"""

import asyncio
import sys

from fullhouse.infra import system
from fullhouse.infra.rate_budgets import Budget
from fullhouse.infra.rate_limits import Limiter
from fullhouse.infra.resources import open_valkey

KEY = b"a key that hides who a subject is"
HOUR = 3600
CALLERS = 16


async def main() -> None:
    url, quota, subject, tries, processes = sys.argv[1:]
    client = open_valkey(url)
    limiter = Limiter(client, system.now, KEY, {"hold": Budget(int(quota), HOUR)}, processes=int(processes))
    numbers = iter(range(int(tries)))

    async def caller() -> int:
        return sum([(await limiter.take("hold", subject)).allowed for _ in numbers])

    _say("ready")
    sys.stdin.readline()
    _say(sum(await asyncio.gather(*(caller() for _ in range(CALLERS)))))
    await limiter.close()
    await client.aclose()


def _say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
