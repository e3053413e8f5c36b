"""Deciding in batches: whatever came while the last batch was being committed is the next one.

Nothing waits for company, unless its owner is in no hurry: a lone wish is a batch of one. One batch of an organization
is in flight in each process, or two where the owner lets them; what must hold between processes is left to locks and
constraints.
"""

import asyncio
from asyncio import sleep
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

Wish = TypeVar("Wish")
Answer = TypeVar("Answer")

BATCH_MAX = 64
WAITING_MAX = 4_096

Judge = Callable[[UUID, Sequence[Wish]], Awaitable[Sequence[Answer | Exception | None]]]
"""Decides the wishes of an organization in one transaction of its own, which is committed when it returns.

Returns for each its answer, an exception that is for it alone, or None: it asks again with the next batch.
"""


def _never() -> bool:
    return False


class _Waiting(NamedTuple, Generic[Wish, Answer]):
    wish: Wish
    heard: Callable[[Answer | Exception], None]
    is_gone: Callable[[], bool]


_Decided = tuple[_Waiting[Wish, Answer], Answer | Exception | None]


@dataclass(frozen=True, slots=True)
class Pace:
    """How many are decided together, and when."""

    batch_max: int = BATCH_MAX
    waiting_max: int = WAITING_MAX
    """More of an organization are turned away."""
    gather_seconds: float = 0.0
    """How long each batch waits for more, where nobody is in a hurry."""
    beside_min: int | None = None
    """A second batch is begun beside the first as soon as so many wait.

    For those that may meet, since their judge decides between several processes anyway.
    """


_PLAIN = Pace()


class Batches(Generic[Wish, Answer]):
    """The batches of one process, one at a time for each organization that somebody wishes something of."""

    def __init__(
        self,
        judge: Judge[Wish, Answer],
        *,
        name: str,
        full: Callable[[], Exception],
        pace: Pace = _PLAIN,
    ) -> None:
        """Begin with nobody. ``full`` makes what is raised where too many of an organization wait."""
        self._judge = judge
        self._name = name
        self._full = full
        self._pace = pace
        self._beside: set[UUID] = set()
        self._queues: dict[UUID, deque[_Waiting[Wish, Answer]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, organization_id: UUID, wish: Wish) -> Answer:
        """Wait for the answer to a wish, committed. Raises what the judge has for it, and what ``full`` makes.

        Who stops waiting before a batch begins is left out of it.
        """
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.tell(organization_id, wish, partial(_settle, answer), answer.done)
        return await answer

    def tell(
        self,
        organization_id: UUID,
        wish: Wish,
        heard: Callable[[Answer | Exception], None],
        is_gone: Callable[[], bool] = _never,
    ) -> None:
        """Tell ``heard``, which must not raise, what ``ask`` would return or raise. Raises what ``full`` makes."""
        waiting = self._queue_of(organization_id)
        if len(waiting) >= self._pace.waiting_max:
            raise self._full()
        waiting.append(_Waiting(wish, heard, is_gone))
        beside_min = self._pace.beside_min
        if beside_min is not None and len(waiting) >= beside_min and organization_id not in self._beside:
            self._beside.add(organization_id)
            self._begin(self._serve_beside(organization_id, beside_min), organization_id)

    def _queue_of(self, organization_id: UUID) -> deque[_Waiting[Wish, Answer]]:
        """Return the queue of an organization, which somebody serves."""
        waiting = self._queues.get(organization_id)
        if waiting is None:
            waiting = self._queues[organization_id] = deque[_Waiting[Wish, Answer]]()
            self._begin(self._serve(organization_id, waiting), organization_id)
        return waiting

    def _begin(self, serving: Coroutine[Any, Any, None], organization_id: UUID) -> None:
        task = asyncio.create_task(serving, name=f"{self._name} {organization_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait until those that wait have their answers."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, organization_id: UUID, waiting: deque[_Waiting[Wish, Answer]]) -> None:
        """Decide batch after batch. Who was decided is told as soon as the next batch is with the database.

        So answers are written while it works, and it need not wait for them.
        """
        decided: list[_Decided[Wish, Answer]] = []
        try:
            # The queue is checked and given up without an await between, else a wake-up could be lost.
            while waiting:
                if self._pace.gather_seconds:
                    await sleep(self._pace.gather_seconds)
                patient = self._take(waiting)
                deciding = asyncio.create_task(self._decide(organization_id, patient)) if patient else None
                if decided:
                    await sleep(0)
                    _tell(decided)
                if deciding is not None:
                    decided = await deciding
                    waiting.extendleft(one for one, answer in reversed(decided) if answer is None)
                if self._pace.gather_seconds or not waiting:
                    _tell(decided)
        finally:
            _tell(decided)
        del self._queues[organization_id]

    async def _serve_beside(self, organization_id: UUID, enough: int) -> None:
        """Decide batches as long as so many wait that the first need not be left alone."""
        try:
            while (waiting := self._queues.get(organization_id)) is not None and len(waiting) >= enough:
                patient = self._take(waiting)
                decided = await self._decide(organization_id, patient) if patient else []
                if again := [one for one, answer in decided if answer is None]:
                    # Meanwhile the other may have given up the queue, as nobody waited.
                    self._queue_of(organization_id).extendleft(reversed(again))
                _tell(decided)
        finally:
            self._beside.discard(organization_id)

    def _take(self, waiting: deque[_Waiting[Wish, Answer]]) -> list[_Waiting[Wish, Answer]]:
        batch = [waiting.popleft() for _ in range(min(self._pace.batch_max, len(waiting)))]
        return [one for one in batch if not one.is_gone()]

    async def _decide(
        self, organization_id: UUID, batch: Sequence[_Waiting[Wish, Answer]]
    ) -> list[_Decided[Wish, Answer]]:
        """Decide a batch; None for who asks again.

        If that fails, each by itself, so that a bad one fails alone, and nobody waits for those behind them.
        """
        try:
            answers = await self._judge(organization_id, [one.wish for one in batch])
        except Exception as error:  # noqa: BLE001 (handed to the one who asked)
            if len(batch) == 1:
                return [(batch[0], error)]
        else:
            return list(zip(batch, answers, strict=True))
        again: list[_Decided[Wish, Answer]] = []
        for one in batch:
            alone = await self._decide(organization_id, [one])
            again += [outcome for outcome in alone if outcome[1] is None]
            _tell(alone)
        return again


def _tell(decided: list[_Decided[Wish, Answer]]) -> None:
    """Tell each who has an answer, once."""
    told = decided.copy()
    decided.clear()
    for one, answer in told:
        if answer is not None:
            one.heard(answer)


def _settle(future: asyncio.Future[Answer], answer: Answer | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
