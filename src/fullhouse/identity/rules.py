"""Users: people who sign in to work for organizations, or to see what they bought. Buyers need no account."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.core.errors import Conflict, Forbidden, NotFound, TooMany, Unauthenticated, Unavailable, invalid_field

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
    has_second_factor: bool
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


class LinkRefused(Conflict):
    """The link is not known, was used before, or has expired."""

    code = "link_refused"
    title = "This link does not work any more; ask for a new one."


class SignInAgain(Forbidden):
    """What is asked for needs a sign-in of the last minutes."""

    code = "sign_in_again"
    title = "Sign in again first: this needs to be surely you."


class SecondFactorNeeded(Unauthenticated):
    """The password was right, and a code is needed too; ``challenge`` goes on with one."""

    code = "second_factor_needed"
    title = "A code of the second factor is needed, too."


class SecondFactorRefused(Unauthenticated):
    """The code is wrong, was used before, or is too old; or the challenge is."""

    code = "second_factor_refused"
    title = "This code does not open the account."


class SecondFactorOn(Conflict):
    """There is a second factor already."""

    code = "second_factor_on"
    title = "A second factor is on; switch it off first."


class SecondFactorOff(Conflict):
    """There is no second factor, or none that waits to be confirmed."""

    code = "second_factor_off"
    title = "There is no second factor here."


class ProviderUnknownHere(NotFound):
    """The settings name no such provider of identities."""

    code = "identity_provider_not_found"
    title = "There is no such way to sign in here."


class ProviderRefused(Unauthenticated):
    """The provider's answer is not for us, not for this attempt, was used before, or is forged."""

    code = "identity_provider_refused"
    title = "Signing in elsewhere did not work; begin again."


class ProviderUnreachable(Unavailable):
    """The provider does not answer, or not as OpenID Connect says."""

    code = "identity_provider_unavailable"
    title = "The other service cannot be reached for the moment."


class EmailUnverified(Unauthenticated):
    """The provider has not verified the mail address, so the account of that address stays closed."""

    code = "provider_email_unverified"
    title = "The other service has not verified your mail address."


class SignInNotFound(NotFound):
    """There is no such sign-in of yours, or it has ended."""

    code = "sign_in_not_found"
    title = "You are not signed in there."


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
