"""Recovery codes: 80 random bits each, shown once, stored as hashes, good once. Pure."""

import re
from base64 import b32encode
from collections.abc import Sequence

from fullhouse.core.clock import Randomness
from fullhouse.core.secrets import hash_secret

CODES = 10
_BYTES = 10
_SEPARATORS = re.compile(r"[\s-]+")


def make_codes(randomness: Randomness) -> Sequence[str]:
    """Make codes such as ``ABCD-EFGH-IJKL-MNOP``."""
    texts = [b32encode(randomness(_BYTES)).decode() for _ in range(CODES)]
    return ["-".join(text[start : start + 4] for start in range(0, len(text), 4)) for text in texts]


def hash_code(code: str) -> bytes:
    """Hash a code, however its letters and groups were typed."""
    return hash_secret(_SEPARATORS.sub("", code).upper())
