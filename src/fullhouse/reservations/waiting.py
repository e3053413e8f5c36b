"""Those who wait at a desk for their answers, what the desks of a process share, and the time by which refusals age."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from fullhouse.core.ids import MakeId
from fullhouse.events.rules import SessionTerms
from fullhouse.infra.postgres import Pool
from fullhouse.reservations.rules import Reservation
from fullhouse.reservations.stock import Stock
from fullhouse.reservations.wish import Memory, Outcome, Wish

OnHeld = Callable[[Stock, SessionTerms, Sequence[Reservation]], None]
"""Told after each commit; must not wait."""
Patience = Callable[[], float]
"""Says how many seconds after another a small batch leaves now: 0 where nobody waits long for anything else."""


def no_patience() -> float:
    """Return 0: nobody waits for company."""
    return 0.0


@dataclass(slots=True)
class Parts:
    """What the desks of a process share."""

    pool: Pool
    make_id: MakeId
    on_held: OnHeld | None
    patience: Patience = no_patience
    writes: int = 0
    """How often this process wrote other things that may have given stock back."""


class Hearing(Protocol):
    """Where the answer to a wish goes: a future for which somebody waits, or who has more to do than to wait."""

    def done(self) -> bool:
        """Say whether it has been answered, or nobody waits any more."""
        ...

    def set_result(self, outcome: Outcome, /) -> None:
        """Tell what became of the wish. Never raises."""
        ...

    def set_exception(self, error: Exception, /) -> None:
        """Tell that it went wrong. Never raises."""
        ...


@dataclass(slots=True)
class Waiting:
    """A wish, where its answer goes, and the trace of who asked, where traces are kept."""

    wish: Wish
    answer: Hearing
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


def tell_held(parts: Parts, memory: Memory, outcomes: Sequence[Outcome]) -> None:
    """Tell who wants to know what was held now; what repeats an earlier answer was held before."""
    if parts.on_held and memory.stock and memory.terms:
        held = [one.result for one in outcomes if isinstance(one.result, Reservation) and not one.replayed]
        parts.on_held(memory.stock, memory.terms, held)


def fail(batch: Sequence[Waiting], error: Exception) -> None:
    """Tell all who still wait that it went wrong."""
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)


def loop_seconds() -> float:
    """Return the time by which refusals age."""
    return asyncio.get_running_loop().time()
