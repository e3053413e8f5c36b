"""A broker, a notifier and a relay on a database of one test."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from fullhouse.core.message import Fact
from fullhouse.infra import outbox
from fullhouse.infra.brokers import open_broker
from fullhouse.infra.brokers.port import Broker
from fullhouse.infra.postgres import EVERY_ORGANIZATION, transaction
from fullhouse.infra.system import make_id, randomness
from fullhouse.infra.wake import Notifier
from fullhouse.workers.relay_outbox import Relay

QUEUE = "things"
TYPES = frozenset({"thing.happened", "poison.happened"})


@dataclass
class Parts:
    """What the machinery of a worker is made of."""

    pool: Any
    url: str
    broker: Broker
    notifier: Notifier

    def relay(self) -> Relay:
        return Relay(self.pool, self.broker, make_id, randomness)

    async def commit(self, *facts: Fact) -> None:
        """Commit facts in one transaction."""
        async with transaction(self.pool, EVERY_ORGANIZATION) as conn:
            await outbox.append(conn, make_id, facts)

    async def queued_numbers(self) -> list[int]:
        rows = await self.pool.fetch(
            "SELECT body -> 'data' ->> 'number' AS number FROM broker_messages WHERE queue = $1 ORDER BY position",
            QUEUE,
        )
        return [int(row["number"]) for row in rows]


@pytest.fixture
async def parts(fresh_pool: Any, fresh_database: str) -> AsyncIterator[Parts]:
    broker = open_broker("postgres", pool=fresh_pool, database_url=fresh_database, make_id=make_id)
    await broker.declare({QUEUE: TYPES})
    notifier = Notifier(fresh_database)
    yield Parts(fresh_pool, fresh_database, broker, notifier)
    await notifier.close()
    await broker.close()
