"""The real clock, the real randomness and the ids made of them: the one place that reads them from the system."""

import os
import time
from base64 import urlsafe_b64encode
from collections import deque
from datetime import UTC, datetime
from uuid import UUID

from asyncpg.pgproto import pgproto


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
_ID_BYTES = 10
_tails: deque[bytes] = deque()
os.register_at_fork(after_in_child=_tails.clear)
_AS_VERSION = bytes(0x70 | byte & 0x0F for byte in range(256))
_AS_VARIANT = bytes(0x80 | byte & 0x3F for byte in range(256))


def _next_id() -> bytes:
    """Return the bytes of a new id, whose random part was read from the system for many ids at once.

    It is a UUID of version 7, as ``core.ids`` makes them one by one. Ids are not secrets.
    """
    if not _tails:
        block = bytearray(randomness(_ID_BYTES * _IDS_AHEAD))
        block[0::_ID_BYTES] = block[0::_ID_BYTES].translate(_AS_VERSION)
        block[2::_ID_BYTES] = block[2::_ID_BYTES].translate(_AS_VARIANT)
        _tails.extend(bytes(block[at : at + _ID_BYTES]) for at in range(0, len(block), _ID_BYTES))
    return (time.time_ns() // 1_000_000).to_bytes(6, "big") + _tails.pop()


def make_id() -> UUID:
    """Return a new id, never the same twice."""
    # The driver's kind of UUID: it is made, compared and written at a tenth of the cost.
    return pgproto.UUID(_next_id())


def quick_id(made: UUID) -> UUID:
    """Return an id that is compared often as the driver has ids."""
    return pgproto.UUID(made.bytes)


def make_id_text() -> str:
    """Return a new id as it is written."""
    return str(pgproto.UUID(_next_id()))
