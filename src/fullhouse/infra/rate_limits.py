"""Limits on how often, per purpose and subject, that hold over all processes.

A subject is whatever a budget is for: an address, a user, an API key, the holder of a secret.
Most decisions are made in this process; the shared budgets stand in Valkey. Without it each process limits by itself,
to its share of the budget.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Protocol

from valkey.asyncio import Valkey

from fullhouse.core.clock import Clock
from fullhouse.core.errors import TooMany
from fullhouse.core.json import Json
from fullhouse.infra.rate_budgets import INACCURACY, PROCESSES_MIN, Budget, Decision, Purse
from fullhouse.infra.rate_ledger import Ledger
from fullhouse.infra.telemetry import counter

SUBJECTS_MAX = 50_000
"""Of so many subjects a process remembers something; of more, those not heard of for longest are forgotten."""

REFUSED = counter("rate_limited", "Requests refused because a budget was used up, by purpose.", ["purpose"])
ALONE = counter("rate_limits_alone", "Decisions made without Valkey because it is away, by purpose.", ["purpose"])


class Limits(Protocol):
    """What a layer needs of limits: ``limits.take_now(…) or await limits.take("address.sign_in", subject)``."""

    def take_now(self, purpose: str, subject: str, cost: int = 1) -> Decision | None:
        """Take units of a budget, or nothing, if this process can decide it by itself; else None."""
        ...

    async def take(self, purpose: str, subject: str, cost: int = 1) -> Decision:
        """Take units of a budget, or nothing."""
        ...

    async def close(self) -> None:
        """Wait for what is under way."""
        ...


def used_up(decision: Decision) -> TooMany:
    """Return the refusal of a decision that did not allow it, with what a client needs to come again in time."""
    fields: dict[str, Json] = {
        "retry_after_seconds": decision.retry_after_seconds,
        "limit": decision.limit,
        "window_seconds": decision.window_seconds,
        "violated-policies": [decision.purpose],
    }
    return TooMany(TooMany.title, **fields)


class NoLimits:
    """Allows everything: for load tests."""

    def take_now(self, purpose: str, subject: str, cost: int = 1) -> Decision:  # noqa: ARG002 (the interface)
        """Allow it."""
        return Decision(purpose, limit=1, window_seconds=1, remaining=1, reset_seconds=1, retry_after_seconds=0)

    async def take(self, purpose: str, subject: str, cost: int = 1) -> Decision:
        """Allow it."""
        return self.take_now(purpose, subject, cost)

    async def close(self) -> None:
        """Nothing is ever under way."""


class Limiter:
    """The limits of one process."""

    def __init__(
        self,
        valkey: Valkey,
        clock: Clock,
        key: bytes,
        budgets: Mapping[str, Budget],
        *,
        processes: int = 1,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the budgets by purpose; ``processes`` is among how many they are shared when Valkey is away."""
        self._ledger = Ledger(valkey, clock, key)
        self._budgets = budgets
        self._monotonic = monotonic
        self._processes = processes
        # Half of the inaccuracy is for units spent and not told, half for units taken in advance.
        share = INACCURACY / max(PROCESSES_MIN, processes) / 2
        self._slack = {purpose: int(budget.quota * share) for purpose, budget in budgets.items()}
        # In the order of their last use. A plain dictionary would look for its first entry among all that are gone.
        self._purses: OrderedDict[str, Purse] = OrderedDict()
        self._drawing: dict[str, _Drawing] = {}

    def take_now(self, purpose: str, subject: str, cost: int = 1) -> Decision | None:
        """Take ``cost`` units of the budget that a purpose has for a subject, or nothing, if nobody need be asked.

        None if Valkey must be. Raises ``KeyError`` for a purpose without a budget.
        """
        now = self._monotonic()
        name = f"{purpose}:{subject}"
        purse = self._purses.get(name)
        if purse is None:
            purse = self._open_purse(purpose, name, now)
        else:
            self._purses.move_to_end(name)
        budget = purse.budget
        wait = purse.take(now, min(cost, budget.quota))
        return None if wait is None else _decision(purpose, budget, wait, purse.remaining())

    async def take(self, purpose: str, subject: str, cost: int = 1) -> Decision:
        """Take ``cost`` units of the budget that a purpose has for a subject, or nothing.

        Raises ``KeyError`` for a purpose without a budget. Never raises because Valkey is away, and then does not
        wait for it either.
        """
        waiting = 0
        while (decision := self.take_now(purpose, subject, cost)) is None:
            name = f"{purpose}:{subject}"
            under_way = self._drawing.get(name)
            if under_way is None:
                return await self._draw(purpose, name, cost, waiting)
            under_way.waiting += cost
            try:
                await under_way.done.wait()
            finally:
                under_way.waiting -= cost
            # Those who wait for the same answer and have not been woken yet; the next draw is for them too.
            waiting = under_way.waiting
        return decision

    async def close(self) -> None:
        """Wait for what is under way."""
        await self._ledger.close()

    async def _draw(self, purpose: str, name: str, cost: int, waiting: int) -> Decision:
        purse = self._purses[name]
        cost = min(cost, purse.budget.quota)
        under_way = self._drawing[name] = _Drawing()
        try:
            draw = purse.plan(self._monotonic(), cost, waiting)
            grant = await self._ledger.draw(name, purse.budget, draw)
            now = self._monotonic()
            if grant is not None:
                return _decision(purpose, purse.budget, purse.settle(now, draw, grant), purse.remaining())
            ALONE.labels(purpose).inc()
            alone = purse.alone(self._processes)
            return _decision(purpose, purse.budget, alone.take(now, cost), alone.remaining(now))
        finally:
            del self._drawing[name]
            under_way.done.set()

    def _open_purse(self, purpose: str, name: str, now: float) -> Purse:
        purse = self._purses[name] = Purse(self._budgets[purpose], self._slack[purpose], now)
        if len(self._purses) > SUBJECTS_MAX:
            self._purses.popitem(last=False)
        return purse


class _Drawing:
    """A draw under way for one subject, and how much the others who wait for it want."""

    __slots__ = ("done", "waiting")

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.waiting = 0


def _decision(purpose: str, budget: Budget, wait: float, remaining: int) -> Decision:
    quota, seconds = budget.quota, budget.seconds
    if wait:
        REFUSED.labels(purpose).inc()
        retry_after = math.ceil(wait)
        return Decision(purpose, quota, seconds, 0, retry_after, retry_after)
    # What is left is spread over the time in which the budget gives as much, so that nobody is invited to a burst.
    reset = -(-remaining * seconds // quota) or 1
    return Decision(purpose, quota, seconds, remaining, reset, 0)
