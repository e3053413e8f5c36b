"""Users: people who sign in to work for organizations. Buyers need no account."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.core.errors import invalid_field

EMAIL_LENGTH_MAX = 254
_EMAIL = re.compile(r"[^\s@<>,;:\"\x00-\x20\x7f]+@[^\s@<>,;:\"\x00-\x20\x7f]+\.[^\s@<>,;:\"\x00-\x20\x7f]+")


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account; the mail address, whatever the case of its letters, belongs to one user."""

    user_id: UUID
    email: str
    name: str
    created_at: datetime


def checked_email(text: str) -> str:
    """Return a mail address without spaces around it. Raises ``Invalid`` for what cannot be one."""
    email = text.strip()
    if len(email) > EMAIL_LENGTH_MAX or not _EMAIL.fullmatch(email):
        raise invalid_field("email", "This is not a mail address.")
    return email
