"""The real clock, the real randomness and the ids made of them: the one place that reads them from the system."""

import os
from base64 import urlsafe_b64encode
from datetime import UTC, datetime

from fullhouse.core.ids import id_maker


def now() -> datetime:
    """Return the present instant in UTC. Decisions about expiry take the database's time instead."""
    return datetime.now(UTC)


def randomness(count: int) -> bytes:
    """Return that many unpredictable bytes, fit for secrets."""
    return os.urandom(count)


def random_text(byte_count: int = 24) -> str:
    """Return an unpredictable text safe in URLs and files, four characters for three bytes."""
    return urlsafe_b64encode(randomness(byte_count)).rstrip(b"=").decode()


make_id = id_maker(now, randomness)
