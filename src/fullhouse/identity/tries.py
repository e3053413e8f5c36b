"""Budgets on tries that may fail: so many are free, then each failure doubles the wait for the next one.

A try is counted before it is made and given back when it succeeds, so that a thousand at once are no more than a
thousand in a row. Counts are kept in Valkey, one atomic step each; while it is away each process counts by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, cast

from valkey.asyncio import Valkey

from fullhouse.core.clock import Clock
from fullhouse.identity.rules import TooManyTries
from fullhouse.infra.valkey import Shield

COUNTED_HERE_MAX = 50_000


@dataclass(frozen=True, slots=True)
class Budget:
    """How many tries are free, and how the waits grow after them. Counts are forgotten after a time without tries."""

    purpose: str
    free: int
    wait_seconds: float
    wait_seconds_max: float
    forgotten_seconds: int

    def wait_after(self, count: int) -> float:
        """Return how long to wait after that many tries."""
        over = count - self.free
        return 0.0 if over < 0 else min(self.wait_seconds * 2 ** min(over, 30), self.wait_seconds_max)


PASSWORD_OF_ACCOUNT_FROM_NETWORK = Budget("sign-in", 10, 5.0, 900.0, 3_600)
"""One account from one network address."""

PASSWORD_OF_ACCOUNT = Budget("sign-in-account", 100, 1.0, 30.0, 3_600)
"""One account from everywhere. The wait stays short: strangers may slow its owner down, but not lock them out."""

FROM_NETWORK = Budget("sign-in-network", 100, 1.0, 300.0, 3_600)
"""All accounts from one network address, behind which may be many people."""

REGISTRATION = Budget("register-network", 20, 10.0, 600.0, 3_600)
"""New accounts from one network address."""

MAIL = Budget("mail", 10, 60.0, 3_600.0, 21_600)
"""Mails to one address that somebody asked for without having signed in."""

ORDER_LINKS = Budget("order-links-network", 20, 10.0, 600.0, 3_600)
"""Links to orders that one network address asked for, for whatever mail addresses."""

SECOND_FACTOR = Budget("second-factor", 5, 5.0, 300.0, 3_600)
"""Codes of one account. Whoever comes here has the password already."""

REFRESH = Budget("refresh-network", 200, 0.5, 30.0, 600)
"""Refresh tokens that opened nothing, from one network address."""

_BEGIN = """
local key, free = KEYS[1], tonumber(ARGV[1])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local stored = redis.call('HMGET', key, 'count', 'until')
local count, over = tonumber(stored[1] or '0'), tonumber(stored[2] or '0')
if now < over then return tostring(over - now) end
count = count + 1
local next_at = 0
if count >= free then
    next_at = now + math.min(tonumber(ARGV[2]) * 2 ^ math.min(count - free, 30), tonumber(ARGV[3]))
end
redis.call('HSET', key, 'count', count, 'until', tostring(next_at))
redis.call('EXPIRE', key, tonumber(ARGV[4]))
return '0'
"""

_FORGIVE = """
local key = KEYS[1]
local count = tonumber(redis.call('HGET', key, 'count') or '0')
if ARGV[1] == 'all' or count <= 1 then redis.call('DEL', key)
else redis.call('HSET', key, 'count', count - 1, 'until', '0') end
return 1
"""


@dataclass(slots=True)
class _Count:
    count: int
    until: float
    forgotten_at: float


class Tries:
    """Counts tries by purpose and by whom or what they are about."""

    def __init__(self, valkey: Valkey, clock: Clock, *, enabled: bool = True) -> None:
        """Start empty in this process. ``enabled`` is off for load tests alone."""
        self._shield = Shield(valkey, clock)
        self._clock = clock
        self._enabled = enabled
        self._here: dict[str, _Count] = {}

    async def begin(self, *asked: tuple[Budget, str]) -> None:
        """Count a try against budgets, in this order, or raise ``TooManyTries`` at the first that is used up."""
        if not self._enabled:
            return
        for number, (budget, subject) in enumerate(asked):
            wait = await self._begin(budget, _key(budget, subject))
            if wait > 0:
                await self.forgive(*asked[:number])
                raise TooManyTries(retry_after_seconds=round(wait, 1))

    async def forgive(self, *asked: tuple[Budget, str], everything: bool = False) -> None:
        """Give back a try that succeeded or was not made, or forget ``everything`` that was counted."""
        if not self._enabled:
            return
        for budget, subject in asked:
            await self._forgive(_key(budget, subject), everything=everything)

    async def _begin(self, budget: Budget, key: str) -> float:
        limits = (budget.free, budget.wait_seconds, budget.wait_seconds_max, budget.forgotten_seconds)
        answer = await self._eval(_BEGIN, key, [str(limit) for limit in limits])
        return self._begin_here(budget, key) if answer is None else float(answer)

    async def _forgive(self, key: str, *, everything: bool) -> None:
        await self._eval(_FORGIVE, key, ["all" if everything else "one"])
        counted = self._here.get(key)
        if counted is not None:
            counted.count -= 1
            counted.until = 0.0
            if everything or counted.count <= 0:
                del self._here[key]

    async def _eval(self, script: str, key: str, arguments: Sequence[str]) -> bytes | None:
        async def call(valkey: Valkey) -> bytes:
            return cast("bytes", await cast("Any", valkey.eval(script, 1, key, *arguments)))

        return await self._shield.ask("tries", call, None)

    def _begin_here(self, budget: Budget, key: str) -> float:
        now = self._clock().timestamp()
        counted = self._here.pop(key, None)
        if counted is None or counted.forgotten_at <= now:
            counted = _Count(0, 0.0, 0.0)
        wait = counted.until - now
        if wait <= 0:
            counted.count += 1
            seconds = budget.wait_after(counted.count)
            counted.until = now + seconds if seconds else 0.0
            counted.forgotten_at = now + budget.forgotten_seconds
        self._here[key] = counted
        while len(self._here) > COUNTED_HERE_MAX:
            del self._here[next(iter(self._here))]
        return max(wait, 0.0)


def _key(budget: Budget, subject: str) -> str:
    """Name a count. Addresses of people and machines stand in no key: their hash does."""
    return f"tries:{budget.purpose}:{sha256(subject.encode()).hexdigest()[:32]}"
