"""Organizations, the roles of their members, and the text of API keys."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from fullhouse.core.errors import Conflict, Forbidden, NotFound, invalid_field

API_KEY_SECRET_BYTES = 24
NAME_LENGTH_MAX = 200
API_KEYS_MAX = 100
"""How many keys an organization may have that are neither revoked nor expired."""
INVITATIONS_MAX = 200
"""How many invitations of an organization may be open."""
INVITATION_SECONDS = 7 * 24 * 3600
"""How long an invitation can be accepted."""
ORGANIZATIONS_OWNED_MAX = 50
"""How many organizations one user may own."""
REFUND_LIMIT_MINOR_DEFAULT = 100_000
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
    second_factor_required: bool = False
    """Whether members without a second factor are kept out."""
    refund_limit_minor: int | None = REFUND_LIMIT_MINOR_DEFAULT
    """What may be refunded of one order without an owner, in minor units of its currency; None: any amount."""


@dataclass(frozen=True, slots=True)
class NewOrganization:
    """What an organization is made from."""

    name: str
    contact_email: str | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Membership:
    """A user's place in an organization, with what the organization asks of all of them."""

    organization_id: UUID
    user_id: UUID
    role: Role
    second_factor_required: bool


@dataclass(frozen=True, slots=True)
class Member:
    """A user who works for an organization."""

    organization_id: UUID
    user_id: UUID
    email: str
    name: str
    role: Role
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OwnOrganization:
    """An organization as one of its members sees it in a list."""

    organization: Organization
    role: Role


class InvitationStatus(StrEnum):
    """``open`` ends in one of the others; who is invited again gets a new invitation, and the old one is revoked."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Invitation:
    """An offer of a role to whoever proves to own a mail address. Its secret is known by its hash alone."""

    organization_id: UUID
    invitation_id: UUID
    email: str
    role: Role
    status: InvitationStatus
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Invitee:
    """Who accepts an invitation: a user, as their sign-in tells them."""

    user_id: UUID
    email: str
    email_verified: bool


class MemberNotFound(NotFound):
    """The organization has no such member."""

    code = "member_not_found"
    title = "There is no such member here."


class InvitationNotFound(NotFound):
    """There is no such invitation, its secret is another, or it is meant for another address."""

    code = "invitation_not_found"
    title = "There is no such invitation."


class InvitationOver(Conflict):
    """The invitation was accepted or revoked, or has expired; ``invitation_status`` says which."""

    code = "invitation_over"
    title = "This invitation is over; ask for another."


class AddressUnverified(Forbidden):
    """Invitations are accepted, and one's orders listed, by who has proved to own the address."""

    code = "email_unverified"
    title = "Verify your mail address first."


class AlreadyMember(Conflict):
    """Who is invited, or accepts, is a member already, with ``role``."""

    code = "already_member"
    title = "This person is a member already."


class LastOwner(Conflict):
    """The organization would be left without an owner."""

    code = "last_owner"
    title = "An organization needs an owner; make somebody else one first."


class TooManyInvitations(Conflict):
    """As many invitations are open as may be."""

    code = "too_many_invitations"
    title = "Too many invitations are open; revoke one first."


class TooManyOrganizations(Conflict):
    """The user owns as many organizations as one may."""

    code = "too_many_organizations"
    title = "You own as many organizations as one may."


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """What a key is issued from."""

    name: str
    role: Role
    expires_at: datetime | None = None
    scopes: tuple[str, ...] | None = None
    """Permissions that narrow the role down; None: all that the role may."""
    session_ids: tuple[UUID, ...] = ()
    """The sessions that a scanner's key is bound to; none: all."""
    gates: tuple[str, ...] = ()
    """The gates that it is bound to; none: all."""


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
    scopes: tuple[str, ...] | None = None
    session_ids: tuple[UUID, ...] = ()
    gates: tuple[str, ...] = ()


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
