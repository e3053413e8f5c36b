"""What every object store is: its calls, its errors, and what a key may be."""

import re
from typing import Protocol

from fullhouse.core.errors import Malformed, NotFound, Unavailable

OBJECT_BYTES_MAX = 50_000_000
KEY_LENGTH_MAX = 500
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class ObjectMissing(NotFound):
    """There is no object with this key."""

    code = "object_missing"
    title = "There is no such object in the object store."


class ObjectStoreUnavailable(Unavailable):
    """The store cannot be reached, is full, or refuses our credentials."""

    code = "object_store_unavailable"
    title = "The object store cannot be used for the moment."


class ObjectStore(Protocol):
    """Documents by key. A put is atomic: a reader sees the old object, the new one, or none, never a part of one."""

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store an object, durably, in place of any that has the key. Raises ``ObjectStoreUnavailable``."""
        ...

    async def get(self, key: str) -> bytes:
        """Return an object. Raises ``ObjectMissing``, ``ObjectStoreUnavailable``."""
        ...

    async def exists(self, key: str) -> bool:
        """Say whether there is an object with the key. Raises ``ObjectStoreUnavailable``."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error. Raises ``ObjectStoreUnavailable``."""
        ...

    async def link(self, key: str, seconds: int) -> str | None:
        """Return an address at which anybody may read the object for so long; None where the store has none to give.

        It is signed, so nothing about it can be changed; it may lead to nothing. Raises ``ObjectStoreUnavailable``.
        """
        ...

    async def check(self) -> None:
        """Return if the store answers and takes our credentials; else raise ``ObjectStoreUnavailable``."""
        ...


def checked_key(key: str) -> str:
    """Return the key if every part of it is made of ``A-Z a-z 0-9 . _ -`` and starts with no dot."""
    if not is_key(key):
        raise Malformed(f"Not a key of an object: {key[:80]!r}")
    return key


def checked_data(data: bytes) -> bytes:
    """Return the data if it is not larger than an object may be."""
    if len(data) > OBJECT_BYTES_MAX:
        raise Malformed(f"An object has at most {OBJECT_BYTES_MAX} bytes, not {len(data)}.")
    return data


def is_key(text: str) -> bool:
    """Say whether a text could be a key, or the prefix of keys."""
    return len(text) <= KEY_LENGTH_MAX and _KEY.fullmatch(text) is not None
