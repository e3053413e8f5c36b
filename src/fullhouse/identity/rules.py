"""Users: people who sign in to work for organizations, or to see what they bought. Buyers need no account."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.core.errors import TooMany, Unauthenticated, invalid_field

EMAIL_LENGTH_MAX = 254
ACCESS_SECONDS_MAX = 600
"""How long an access token lives at most."""

_EMAIL = re.compile(r"[^\s@<>,;:\"\x00-\x20\x7f]+@[^\s@<>,;:\"\x00-\x20\x7f]+\.[^\s@<>,;:\"\x00-\x20\x7f]+")


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account; the mail address, whatever the case of its letters, belongs to one user."""

    user_id: UUID
    email: str
    name: str
    created_at: datetime
    language: str = "en"
    email_verified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is needed to tell whether somebody who gives an address and a password is its user."""

    user_id: UUID
    email: str
    email_verified: bool
    password_hash: str | None
    from_known_network: bool
    """Whether they signed in from there before."""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long what a sign-in gives is good for."""

    access_seconds: int = ACCESS_SECONDS_MAX
    idle_days: int = 14
    """A sign-in that is not refreshed for so long ends."""
    total_days: int = 90
    """It ends by then in any case."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who sends a request, for budgets and for the list of sign-ins."""

    address: str
    """The network address, as trusted proxies tell it."""
    name: str = ""
    """What the client calls itself (``User-Agent``)."""


@dataclass(frozen=True, slots=True)
class SignInTokens:
    """What a client gets for signing in and for each refresh."""

    access_token: str
    access_seconds: int
    refresh_token: str
    refresh_seconds: int


class SignInRefused(Unauthenticated):
    """Address and password do not belong together. The same, whether or not the address has an account."""

    code = "sign_in_refused"
    title = "The mail address or the password is wrong."


class RefreshRefused(Unauthenticated):
    """The refresh token is not known, was used before, has expired, or its sign-in has ended."""

    code = "refresh_refused"
    title = "This refresh token does not open anything any more; sign in again."


class TooManyTries(TooMany):
    """Too many tries that failed; ``retry_after_seconds`` says when the next is heard."""

    code = "too_many_tries"
    title = "Too many tries; wait a little."


def checked_email(text: str) -> str:
    """Return a mail address without spaces around it. Raises ``Invalid`` for what cannot be one."""
    email = text.strip()
    if len(email) > EMAIL_LENGTH_MAX or not _EMAIL.fullmatch(email):
        raise invalid_field("email", "This is not a mail address.")
    return email
