"""Organizations, the roles of their members, and the text of API keys."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from fullhouse.core.errors import Conflict, NotFound, invalid_field

API_KEY_SECRET_BYTES = 24
NAME_LENGTH_MAX = 200
API_KEYS_MAX = 100
"""How many keys an organization may have that are neither revoked nor expired."""
_API_KEY = re.compile(r"fh_[A-Za-z0-9_-]{54}")
_HINT_LENGTH = 4


class Role(StrEnum):
    """A member's, or an API key's, place in an organization. ``access/rules.py`` says what each may do."""

    OWNER = "owner"
    MANAGER = "manager"
    BOX_OFFICE = "box_office"
    SCANNER = "scanner"


@dataclass(frozen=True, slots=True)
class Organization:
    """Who sells."""

    organization_id: UUID
    name: str
    contact_email: str | None
    language: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewOrganization:
    """What an organization is made from."""

    name: str
    contact_email: str | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """What a key is issued from."""

    name: str
    role: Role
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of an organization, without its secret: that is shown once, when the key is issued."""

    organization_id: UUID
    api_key_id: UUID
    name: str
    role: Role
    key_hint: str
    """The last characters of the key's text, for telling keys apart."""
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    """At most a minute behind the truth while the key is in use."""


class OrganizationNotFound(NotFound):
    """There is no such organization, or the actor has no place in it."""

    code = "organization_not_found"
    title = "There is no such organization here."


class ApiKeyNotFound(NotFound):
    """The organization has no such key."""

    code = "api_key_not_found"
    title = "There is no such API key here."


class TooManyApiKeys(Conflict):
    """The organization has as many live keys as it may."""

    code = "too_many_api_keys"
    title = "The organization has too many API keys; revoke one first."


def checked_name(text: str) -> str:
    """Return an organization's name without spaces around it. Raises ``Invalid`` unless 1 to 200 characters stay."""
    name = text.strip()
    if not 1 <= len(name) <= NAME_LENGTH_MAX or "\x00" in name:
        raise invalid_field("name", f"An organization's name has 1 to {NAME_LENGTH_MAX} characters.")
    return name


def write_api_key(api_key_id: UUID, secret: bytes) -> str:
    """Write a key's text: ``fh_`` and 54 characters of base64url, made of the id and 24 unpredictable bytes."""
    return "fh_" + urlsafe_b64encode(api_key_id.bytes + secret).rstrip(b"=").decode()


def read_api_key_id(text: str) -> UUID | None:
    """Return the id that a key's text names, or None if the text is no key. It proves nothing yet."""
    if not _API_KEY.fullmatch(text):
        return None
    return UUID(bytes=urlsafe_b64decode(text[3:] + "==")[:16])


def api_key_hint(text: str) -> str:
    """Return the end of a key's text: too short to help anyone who guesses."""
    return text[-_HINT_LENGTH:]
