"""Those at a desk whose wishes have keys and are refused from memory, unless their keys have answers."""

import asyncio

from fullhouse.core.errors import DomainError
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.reservations.ahead.hold_ahead import BATCH_MAX
from fullhouse.reservations.refuse_again import refuse_batch
from fullhouse.reservations.waiting import Waiting, fail, settle
from fullhouse.reservations.wish import Memory


class Losers:
    """Refuses in batches, beside the desk: the keys of a batch are looked up together."""

    __slots__ = ("_memory", "_pool", "losing", "task")

    def __init__(self, pool: Pool, memory: Memory) -> None:
        """Begin with nobody."""
        self._pool = pool
        self._memory = memory
        self.losing: list[tuple[Waiting, DomainError]] = []
        self.task: asyncio.Task[None] | None = None

    def take(self, waiting: Waiting, refusal: DomainError) -> None:
        """Take a wish with its refusal."""
        self.losing.append((waiting, refusal))
        if self.task is None:
            self.task = asyncio.create_task(self._refuse(), name=f"refuse {self._memory.session_id}")

    async def _refuse(self) -> None:
        """Refuse those that came while those before them were being looked up."""
        while self.losing:
            batch, self.losing = self.losing[:BATCH_MAX], self.losing[BATCH_MAX:]
            try:
                async with transaction(self._pool, self._memory.organization_id) as conn:
                    outcomes = await refuse_batch(conn, self._memory, [(one.wish, error) for one, error in batch])
            except Exception as error:  # noqa: BLE001 (handed to those who asked)
                fail([one for one, _ in batch], error)
            else:
                settle([one for one, _ in batch], outcomes)
        self.task = None
