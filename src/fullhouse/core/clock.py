"""Types of the two things that no rule may read by itself: the time and randomness. Adapters pass them in."""

from collections.abc import Callable
from datetime import datetime

Clock = Callable[[], datetime]
"""Returns the current instant, aware, in UTC."""

Randomness = Callable[[int], bytes]
"""Returns that many unpredictable bytes."""
