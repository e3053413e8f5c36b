"""What rate limits are made of: budgets, decisions, and what one process knows of one subject. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

QUOTA_MAX = 10_000_000
WINDOW_SECONDS_MAX = 86_400

INACCURACY = 0.1
"""By how much of a budget all processes together may be wrong, so that few requests need ask Valkey."""

PROCESSES_MIN = 4
"""The inaccuracy is shared among at least so many processes: there may be more machines than this one."""

LEASE_SECONDS = 1.0
"""How long what was taken in advance may be used; what is left of it then is lost, and comes back with time."""

MOMENT_SECONDS = 1e-6
"""Less than any wait."""


@dataclass(frozen=True, slots=True)
class Budget:
    """So many units in so many seconds: all of them at once if need be, then one by one as time gives them back."""

    quota: int
    seconds: int

    @property
    def interval(self) -> float:
        """The seconds after which one unit is back."""
        return self.seconds / self.quota

    def share(self, processes: int) -> "Budget":
        """Return what one of several processes may allow when it knows nothing of the others."""
        quota = max(1, self.quota // processes)
        return Budget(quota, math.ceil(self.seconds * processes * quota / self.quota))


class Decision(NamedTuple):
    """Whether something is allowed, and how much is left.

    ``limit`` units in ``window_seconds``; ``remaining`` is what is left now, as far as this process knows, and
    ``reset_seconds`` the time in which no more than that should be used. ``retry_after_seconds`` is 0 if allowed.
    """

    purpose: str
    limit: int
    window_seconds: int
    remaining: int
    reset_seconds: int
    retry_after_seconds: int

    @property
    def allowed(self) -> bool:
        """Whether it may be done now."""
        return not self.retry_after_seconds


def parse_budgets(text: str, defaults: Mapping[str, Budget]) -> dict[str, Budget]:
    """Read ``hold=1200/60,scan=6000/60``: units and seconds by purpose; what is not named keeps its default.

    Raises ``ValueError`` with what to write instead.
    """
    budgets = dict(defaults)
    for part in filter(None, (part.strip() for part in text.split(","))):
        purpose, equals, amount = part.partition("=")
        quota, slash, seconds = amount.partition("/")
        if purpose.strip() not in defaults:
            raise ValueError(f"{purpose.strip()!r} is none of {', '.join(sorted(defaults))}")
        if not equals or not slash or not (_is_count(quota, QUOTA_MAX) and _is_count(seconds, WINDOW_SECONDS_MAX)):
            raise ValueError(f"write {purpose.strip()}=UNITS/SECONDS, such as hold=1200/60")
        budgets[purpose.strip()] = Budget(int(quota), int(seconds))
    return budgets


def _is_count(text: str, count_max: int) -> bool:
    stripped = text.strip()
    return stripped.isascii() and stripped.isdecimal() and len(stripped) <= 9 and 1 <= int(stripped) <= count_max


@dataclass(frozen=True, slots=True)
class Draw:
    """What to take from the budget that all processes share: ``need`` or nothing, and up to ``want`` if there is more.

    ``spent`` of it was allowed already, so that much is taken even where there is too little.
    """

    spent: int
    need: int
    want: int


@dataclass(frozen=True, slots=True)
class Grant:
    """What was taken, what is left for all, and after how many seconds it is worth asking for the same again."""

    units: int
    remaining: int
    retry_after_seconds: float


class Purse:
    """What one process knows of the budget of one subject: units taken in advance, and units spent and not yet told.

    Both together are so few that all processes are wrong by no more than ``INACCURACY``; small budgets have neither,
    and every unit is taken from the budget that all share. ``now`` is any clock that only goes forward.
    """

    __slots__ = (
        "_advance",
        "_alone",
        "_lease",
        "_lease_until",
        "_refused_until",
        "_remaining",
        "_slack",
        "_told_at",
        "_untold",
        "budget",
    )

    def __init__(self, budget: Budget, slack: int, now: float) -> None:
        """Begin with nothing. ``slack`` is how much may be spent and not told, and how much taken in advance."""
        self.budget = budget
        self._slack = slack
        self._lease = 0
        self._lease_until = 0.0
        self._advance = 0
        self._untold = 0
        self._told_at = now
        self._refused_until = 0.0
        self._remaining = budget.quota
        self._alone: Alone | None = None

    def take(self, now: float, cost: int) -> float | None:
        """Decide alone: the seconds until it may be, or 0 if it may now. None if the shared budget must be asked."""
        if now < self._refused_until:
            return self._refused_until - now
        if self._lease >= cost and now < self._lease_until:
            self._lease -= cost
            return 0.0
        if now - self._told_at > self.budget.seconds:
            # A whole window has given back far more than this.
            self._untold, self._told_at, self._remaining = 0, now, self.budget.quota
        if self._untold + cost <= self._slack:
            self._untold += cost
            return 0.0
        return None

    def plan(self, now: float, cost: int, waiting: int) -> Draw:
        """Say what to draw for a request of this cost, while others of ``waiting`` in sum wait for the answer.

        The more often an advance was used up in time, the larger is the next.
        """
        used_up = self._lease == 0 and now < self._lease_until
        self._advance = min(self._slack, max(1, self._advance * 2)) if used_up else 0
        need = self._untold + cost
        return Draw(self._untold, need, need + waiting + self._advance)

    def settle(self, now: float, draw: Draw, grant: Grant) -> float:
        """Take note of what was granted; return the seconds until the request that asked may be, 0 if it may now."""
        self._untold = max(0, self._untold - draw.spent)
        self._told_at = now
        self._remaining = grant.remaining
        if grant.units < draw.need:
            self._lease = 0
            if draw.need - draw.spent == 1:
                self._refused_until = now + grant.retry_after_seconds
            return max(grant.retry_after_seconds, MOMENT_SECONDS)
        self._lease = grant.units - draw.need
        self._lease_until = now + LEASE_SECONDS
        return 0.0

    def remaining(self) -> int:
        """Return what is left, as far as this process knows."""
        return max(0, self._remaining + self._lease - self._untold)

    def alone(self, processes: int) -> "Alone":
        """Return the share that this process keeps for itself while the shared budget is out of reach."""
        if self._alone is None:
            self._alone = Alone(self.budget.share(processes))
        return self._alone


class Alone:
    """A budget kept by one process for itself: the same rule, with the time at which all would be back."""

    __slots__ = ("_budget", "_full_at")

    def __init__(self, budget: Budget) -> None:
        """Begin with all of it."""
        self._budget = budget
        self._full_at = 0.0

    def take(self, now: float, cost: int) -> float:
        """Take units: the seconds until they may be taken, or 0 if they were."""
        cost = min(cost, self._budget.quota)
        full_at = max(self._full_at, now) + cost * self._budget.interval
        wait = full_at - now - self._budget.seconds
        # Floating point must not refuse the last unit.
        if wait > MOMENT_SECONDS:
            return wait
        self._full_at = full_at
        return 0.0

    def remaining(self, now: float) -> int:
        """Return what is left."""
        return int((self._budget.seconds - max(0.0, self._full_at - now)) / self._budget.interval + 1e-6)
