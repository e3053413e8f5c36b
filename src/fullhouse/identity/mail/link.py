"""The texts of one-time links: 22 characters name the link, 22 open it. Pure."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Literal
from uuid import UUID

from fullhouse.core.secrets import derive_key, derive_secret

Purpose = Literal["verify_email", "set_password"]

HOURS: dict[Purpose, int] = {"verify_email": 72, "set_password": 1}
"""How long a link is good."""

PATHS: dict[Purpose, str] = {"verify_email": "/account/verify", "set_password": "/account/password"}
"""Where a person opens it."""

_TEXT = re.compile(r"[A-Za-z0-9_-]{44}", re.ASCII)


def write_link(server_key: bytes, purpose: Purpose, token_id: UUID) -> tuple[str, str]:
    """Return the text of a link, and the secret in it, whose hash is stored."""
    secret = derive_secret(derive_key(server_key, f"link/{purpose}"), token_id)
    return urlsafe_b64encode(token_id.bytes).rstrip(b"=").decode() + secret, secret


def read_link(text: str) -> tuple[UUID, str] | None:
    """Return which link a text names and the secret in it, not yet compared; None for what is no link."""
    if not _TEXT.fullmatch(text):
        return None
    return UUID(bytes=urlsafe_b64decode(text[:22] + "==")), text[22:]
