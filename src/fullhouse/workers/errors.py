"""What an error of a handler means for its message: the one table of the workers."""

from dataclasses import dataclass
from enum import Enum

from fullhouse.core.errors import DomainError, Kind

ATTEMPTS_MAX = 12
"""Tries of a message whose handler fails in a way that nobody foresaw: about a minute and a half of waits."""

ATTEMPTS_MAX_UNAVAILABLE = 2_000
"""Tries while a part that the handler needs is away: about six hours."""


class Verdict(Enum):
    """What happens to a message."""

    RETRY = "retry"
    DEAD_LETTER = "dead_letter"


_PERMANENT = frozenset(
    {
        Kind.MALFORMED,
        Kind.UNAUTHENTICATED,
        Kind.FORBIDDEN,
        Kind.NOT_FOUND,
        Kind.CONFLICT,
        Kind.INVALID,
        Kind.TOO_LARGE,
    }
)
"""Kinds that will be the same at the next try. A handler that finds its work done already returns."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A verdict and its reason, in one line."""

    verdict: Verdict
    reason: str


def judge(error: BaseException, attempts: int) -> Failure:
    """Decide about a message whose handler raised at this attempt."""
    reason = describe(error)
    if isinstance(error, DomainError):
        if error.kind in _PERMANENT:
            return Failure(Verdict.DEAD_LETTER, reason)
        attempts_max = ATTEMPTS_MAX_UNAVAILABLE
    else:
        attempts_max = ATTEMPTS_MAX
    if attempts >= attempts_max:
        return Failure(Verdict.DEAD_LETTER, f"after {attempts} tries: {reason}")
    return Failure(Verdict.RETRY, reason)


def describe(error: BaseException) -> str:
    """Write an error in one line: its code or class, and its sentence."""
    name = error.code if isinstance(error, DomainError) else type(error).__name__
    text = " ".join(str(error).split())
    return f"{name}: {text}" if text else name
