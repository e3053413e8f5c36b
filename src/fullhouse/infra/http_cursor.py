"""Cursors: where the next page of a list begins, opaque to clients.

A cursor holds the sort key of the last item and a checksum bound to its list. It gives no authority: the query that
uses it names the organization by itself.
"""

import binascii
import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from fullhouse.core.errors import Malformed

CURSOR_LENGTH_MAX = 2_000
_SUM_BYTES = 6

SortKey = tuple[str | int | UUID | datetime, ...]
"""Where an item stands in its list."""

_READERS: dict[type, Callable[[Any], Any]] = {str: str, int: int, UUID: UUID, datetime: datetime.fromisoformat}


class CursorMalformed(Malformed):
    """The cursor is not one that this list gave out."""

    code = "cursor_malformed"
    title = "This cursor was not given out by this list."


def encode_cursor(list_name: str, *last: str | int | UUID | datetime) -> str:
    """Write the sort key of the last item of a page: ``encode_cursor("events", starts_at, event_id)``."""
    values = [value if isinstance(value, (str, int)) else _text(value) for value in last]
    data = json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()
    return urlsafe_b64encode(_sum(list_name, data) + data).rstrip(b"=").decode()


def decode_cursor(list_name: str, cursor: str | None, types: Sequence[type]) -> tuple[Any, ...] | None:
    """Read a cursor back into values of these types, or None where there was none.

    ``decode_cursor("events", cursor, (datetime, UUID))``. Raises ``CursorMalformed``.
    """
    if cursor is None:
        return None
    try:
        values = _values(list_name, cursor)
        return tuple(_READERS[kind](value) for kind, value in zip(types, values, strict=True))
    except (ValueError, TypeError, AttributeError) as broken:
        raise CursorMalformed from broken


def _values(list_name: str, cursor: str) -> list[object]:
    if not cursor or len(cursor) > CURSOR_LENGTH_MAX:
        raise ValueError("length")
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except binascii.Error as broken:
        raise ValueError("encoding") from broken
    data = raw[_SUM_BYTES:]
    if raw[:_SUM_BYTES] != _sum(list_name, data):
        raise ValueError("checksum")
    return cast("list[object]", json.loads(data))


def _sum(list_name: str, data: bytes) -> bytes:
    return hashlib.sha256(list_name.encode() + b"\x00" + data).digest()[:_SUM_BYTES]


def _text(value: UUID | datetime) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
