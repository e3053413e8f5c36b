"""The secret of an invitation as it travels: the ids of organization and invitation, which find it, and 128 bits."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from fullhouse.core.secrets import derive_key, derive_secret
from fullhouse.organizations.rules import InvitationNotFound

_IDS_LENGTH = 43
TOKEN_LENGTH = 65


def invitation_secret(server_key: bytes, invitation_id: UUID) -> str:
    """Derive the secret of an invitation, so that it is stored nowhere."""
    return derive_secret(derive_key(server_key, "invitation"), invitation_id)


def write_invitation_token(organization_id: UUID, invitation_id: UUID, secret: str) -> str:
    """Write the text that a mail carries."""
    ids = urlsafe_b64encode(organization_id.bytes + invitation_id.bytes).rstrip(b"=").decode()
    return ids + secret


def read_invitation_token(token: str) -> tuple[UUID, UUID, str]:
    """Split a text into organization, invitation and secret, nothing verified.

    Raises ``InvitationNotFound`` for other text.
    """
    if len(token) != TOKEN_LENGTH or not token.isascii():
        raise InvitationNotFound
    try:
        ids = urlsafe_b64decode(token[:_IDS_LENGTH] + "=")
    except ValueError as unreadable:
        raise InvitationNotFound from unreadable
    if len(ids) != 32:
        raise InvitationNotFound
    return UUID(bytes=ids[:16]), UUID(bytes=ids[16:]), token[_IDS_LENGTH:]
