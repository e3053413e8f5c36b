"""Those who wait at a desk for their answers, and the time by which a desk's refusals age."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from fullhouse.reservations.wish import Outcome, Wish


@dataclass(slots=True)
class Waiting:
    """A wish, where its answer goes, and the trace of who asked, where traces are kept."""

    wish: Wish
    answer: asyncio.Future[Outcome]
    traceparent: str | None = None


def next_batch(queue: deque[Waiting], count_max: int) -> list[Waiting]:
    """Take those who came first out of a queue, without those who gave up."""
    batch: list[Waiting] = []
    while queue and len(batch) < count_max:
        waiting = queue.popleft()
        if not waiting.answer.done():
            batch.append(waiting)
    return batch


def settle(batch: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
    """Answer all who still wait."""
    for waiting, outcome in zip(batch, outcomes, strict=True):
        if not waiting.answer.done():
            waiting.answer.set_result(outcome)


def fail(batch: Sequence[Waiting], error: Exception) -> None:
    """Tell all who still wait that it went wrong."""
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)


def loop_seconds() -> float:
    """Return the time by which refusals age."""
    return asyncio.get_running_loop().time()
