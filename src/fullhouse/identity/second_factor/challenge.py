"""What a client holds between the password and the code: encrypted, good for five minutes. Pure."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from fullhouse.core.clock import Randomness
from fullhouse.identity.tokens.sealing import seal, unseal

SECONDS = 300
_PURPOSE = "second-factor-challenge"


@dataclass(frozen=True, slots=True)
class Challenge:
    """Who has shown the first factor, and until when it counts."""

    user_id: UUID
    password_changed_at: datetime | None
    """Of then: a challenge ends with the password that it was given for."""
    expires_at: datetime


def write_challenge(
    server_key: bytes, user_id: UUID, password_changed_at: datetime | None, now: datetime, randomness: Randomness
) -> str:
    """Write a challenge."""
    expires_at = now + timedelta(seconds=SECONDS)
    changed = password_changed_at.isoformat() if password_changed_at else None
    data = json.dumps([str(user_id), changed, expires_at.isoformat()]).encode()
    return urlsafe_b64encode(seal(server_key, _PURPOSE, data, b"", randomness)).rstrip(b"=").decode()


def read_challenge(server_key: bytes, text: str) -> Challenge | None:
    """Read a challenge that was given out here; whether it has ended is not looked at. None for what is none."""
    try:
        sealed = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        return None
    data = unseal(server_key, _PURPOSE, sealed, b"")
    if data is None:
        return None
    user, changed, expires = json.loads(data)
    return Challenge(UUID(user), datetime.fromisoformat(changed) if changed else None, datetime.fromisoformat(expires))
