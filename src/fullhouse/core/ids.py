"""Ids: UUID version 7 (RFC 9562), made from a time and random bytes that are handed in.

Ids sort by the millisecond in which they were made. They name things; they are not secrets.
"""

from collections.abc import Callable
from uuid import UUID, SafeUUID

MakeId = Callable[[], UUID]
"""Returns a new id, never the same twice."""

_VERSION_7 = 0x7000
_VARIANT = 0x8000_0000_0000_0000
_RANDOM_A_MASK = 0x0FFF
_RANDOM_B_MASK = 0x3FFF_FFFF_FFFF_FFFF


def uuid7(unix_ms: int, random_bytes: bytes) -> UUID:
    """Build the id of one millisecond (48 bits) from ten random bytes, of which 74 bits are used."""
    random = int.from_bytes(random_bytes, "big")
    high = (unix_ms & 0xFFFF_FFFF_FFFF) << 16 | _VERSION_7 | random >> 64 & _RANDOM_A_MASK
    made = _new(UUID)
    # Its constructor first checks what is known here; that takes longer than all of the above.
    _set(made, "int", high << 64 | _VARIANT | random & _RANDOM_B_MASK)
    _set(made, "is_safe", SafeUUID.unknown)
    return made


_new, _set = object.__new__, object.__setattr__
