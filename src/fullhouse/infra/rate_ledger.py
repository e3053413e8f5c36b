"""The budgets that all processes share, in Valkey: one atomic script for each subject, many of them in one trip.

Each subject is one key, so that it works in a cluster: the time at which its budget would be whole again (GCRA). The
time is that of Valkey, so that clocks of machines do not matter. A key lives until its budget is whole again.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Sequence
from hashlib import sha256
from typing import Any, cast

from valkey.asyncio import Valkey

from fullhouse.core.clock import Clock
from fullhouse.infra.rate_budgets import Budget, Draw, Grant
from fullhouse.infra.valkey import Shield

BATCH_MAX = 256
PURPOSE = "rate_limits"

# In microseconds, which a double holds exactly. ARGV: quota, window, spent, need, want.
_DRAW = """
local quota, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local spent, need, want = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local interval = window / quota
local full_at = tonumber(redis.call('GET', KEYS[1]) or now)
if full_at < now then full_at = now end
local room = window - (full_at - now)
local available = math.floor(room / interval + 0.000001)
local units = spent
if available >= need then units = math.min(want, available) end
if units > 0 then
  full_at = full_at + units * interval
  redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
end
local left = math.max(0, math.floor((window - (full_at - now)) / interval + 0.000001))
local retry = 0
if units < need then retry = math.max(0, (full_at - now) + (need - spent) * interval - window) end
return {units, left, math.ceil(retry)}
"""


class Ledger:
    """Draws from shared budgets. What arrives while Valkey is answering is the next trip; none waits for company."""

    def __init__(self, valkey: Valkey, clock: Clock, key: bytes) -> None:
        """Ask nothing yet. ``key`` hides who a subject is from whoever reads Valkey."""
        self._valkey = Shield(valkey, clock)
        self._key = key
        self._queue: list[tuple[str, Budget, Draw, asyncio.Future[Grant | None]]] = []
        self._task: asyncio.Task[None] | None = None
        self._probe: asyncio.Task[None] | None = None
        self._is_away = False

    async def draw(self, name: str, budget: Budget, draw: Draw) -> Grant | None:
        """Draw for one subject; None when Valkey is away. While it is, nobody waits to hear so again."""
        if self._is_away:
            if self._probe is None or self._probe.done():
                self._probe = asyncio.create_task(self._look(), name="look for valkey")
            return None
        answer: asyncio.Future[Grant | None] = asyncio.get_running_loop().create_future()
        self._queue.append((self._hidden(name), budget, draw, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._send_all(), name="draw from budgets")
        return await answer

    async def close(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*(task for task in (self._task, self._probe) if task is not None))

    def _hidden(self, name: str) -> str:
        purpose, _, subject = name.partition(":")
        return f"rate:{purpose}:{hmac.digest(self._key, subject.encode(), sha256)[:16].hex()}"

    async def _send_all(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue[:BATCH_MAX], self._queue[BATCH_MAX:]
                draws = [(name, budget, draw) for name, budget, draw, _ in batch]
                grants = await self._valkey.ask(PURPOSE, lambda client, sent=draws: _send(client, sent), None)
                self._is_away = grants is None
                for number, (_, _, _, answer) in enumerate(batch):
                    if not answer.done():
                        answer.set_result(None if grants is None else grants[number])
        finally:
            self._task = None
            left, self._queue = self._queue, []
            for _, _, _, answer in left:
                if not answer.done():
                    answer.set_result(None)

    async def _look(self) -> None:
        answers = await self._valkey.ask(PURPOSE, lambda client: cast("Awaitable[object]", client.ping()), None)  # pyright: ignore[reportUnknownMemberType] (the client's types leave open whether it answers at once)
        self._is_away = answers is None


async def _send(client: Valkey, draws: Sequence[tuple[str, Budget, Draw]]) -> list[Grant]:
    pipeline: Any = client.pipeline(transaction=False)
    for name, budget, draw in draws:
        window = budget.seconds * 1_000_000
        pipeline.eval(_DRAW, 1, name, budget.quota, window, draw.spent, draw.need, draw.want)
    answers: list[tuple[int, int, int]] = await pipeline.execute()
    return [Grant(units, left, retry / 1_000_000) for units, left, retry in answers]
