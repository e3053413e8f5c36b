"""The real clock, the real randomness and the ids made of them: the one place that reads them from the system."""

import os
from base64 import urlsafe_b64encode
from collections import deque
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


_IDS_AHEAD = 256
_id_bytes: deque[bytes] = deque()
os.register_at_fork(after_in_child=_id_bytes.clear)


def _id_randomness(count: int) -> bytes:
    """Return random bytes for one id, read from the system for many ids at once. Ids are not secrets."""
    try:
        return _id_bytes.pop()
    except IndexError:
        block = randomness(count * _IDS_AHEAD)
        _id_bytes.extend(block[start : start + count] for start in range(count, len(block), count))
        return block[:count]


make_id = id_maker(now, _id_randomness)
