"""Back-off with jitter: how long to wait before the next try."""

from fullhouse.core.clock import Randomness

FIRST_SECONDS = 0.2
SECONDS_MAX = 15.0
"""Short enough that work goes on soon after a fault is lifted."""

_STEPS_MAX = 16


def backoff_seconds(attempts: int, randomness: Randomness) -> float:
    """Return the wait after that many tries: it doubles from 0.2 s to 15 s, less up to half of it by chance."""
    whole = min(SECONDS_MAX, FIRST_SECONDS * 2 ** min(max(attempts - 1, 0), _STEPS_MAX))
    return whole * (1 - int.from_bytes(randomness(2), "big") / 0x1_0000 / 2)
