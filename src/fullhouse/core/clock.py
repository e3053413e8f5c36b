"""The time and randomness, which no rule may read by itself: adapters pass them in. And how an instant is written."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current instant, aware, in UTC."""

Randomness = Callable[[int], bytes]
"""Returns that many unpredictable bytes."""


def instant_text(at: datetime) -> str:
    """Write an instant as answers do: RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"
