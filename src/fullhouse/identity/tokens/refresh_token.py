"""The text of refresh tokens. Pure.

``fhr_`` and 59 characters of base64url: the id of the family, the number of the generation, a secret of 128 bits, and
a tag that shows that the text was once given out by this installation. The tag proves nothing more, but without it
whoever saw the id of a family could make a text that passes for an old token, and so end the family.
"""

import hmac
import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from fullhouse.core.secrets import derive_key

SECRET_BYTES = 16
_PREFIX = "fhr_"
_TAG_BYTES = 8
_BODY = struct.Struct(f">16sI{SECRET_BYTES}s")
_TEXT = re.compile(r"fhr_[A-Za-z0-9_-]{59}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What a refresh token names."""

    family_id: UUID
    generation: int


def write_refresh_token(server_key: bytes, token: RefreshToken, secret: bytes) -> str:
    """Write the text of a token."""
    body = _BODY.pack(token.family_id.bytes, token.generation, secret)
    return _write(body + _tag(server_key, body))


def read_refresh_token(server_key: bytes, text: str) -> RefreshToken | None:
    """Return what a text names, or None unless it was given out here. Whether it is the newest, its hash tells."""
    if not _TEXT.fullmatch(text):
        return None
    data = urlsafe_b64decode(text[len(_PREFIX) :] + "=")
    body, tag = data[:-_TAG_BYTES], data[-_TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(server_key, body)) or _write(data) != text:
        return None
    family, generation, _secret = _BODY.unpack(body)
    return RefreshToken(UUID(bytes=family), generation)


def secret_for_retry(server_key: bytes, text: str, idempotency_key: str) -> bytes:
    """Derive the secret of the token that follows, so that the same request again finds the same answer."""
    key = derive_key(server_key, "refresh-token-retry")
    return hmac.digest(key, f"{text} {idempotency_key}".encode(), sha256)[:SECRET_BYTES]


def _write(data: bytes) -> str:
    return _PREFIX + urlsafe_b64encode(data).rstrip(b"=").decode()


def _tag(server_key: bytes, body: bytes) -> bytes:
    return hmac.digest(derive_key(server_key, "refresh-token"), body, sha256)[:_TAG_BYTES]
