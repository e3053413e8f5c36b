"""The secret of a reservation as it travels: the session's id, which finds its organization, and 128 bits."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from uuid import UUID

from fullhouse.core.secrets import derive_key, derive_secret
from fullhouse.reservations.rules import ReservationNotFound

_SESSION_LENGTH = 22
_TOKEN_LENGTH = 44


def reservation_key(server_key: bytes) -> bytes:
    """Derive the key that secrets of reservations are made from."""
    return derive_key(server_key, "reservation")


def reservation_secret(token_key: bytes, reservation_id: UUID) -> str:
    """Derive the secret of a reservation."""
    return derive_secret(token_key, reservation_id)


def write_token(session_id: UUID, secret: str) -> str:
    """Write the token of a reservation: 22 characters for the session and 22 for the secret, in base64url."""
    return _session_text(session_id) + secret


def read_token(token: str) -> tuple[UUID, str]:
    """Split a token into session id and secret, nothing verified. Raises ``ReservationNotFound`` for other text."""
    if len(token) != _TOKEN_LENGTH:
        raise ReservationNotFound
    try:
        session = urlsafe_b64decode(token[:_SESSION_LENGTH] + "==")
        return UUID(bytes=session), token[_SESSION_LENGTH:]
    except ValueError as error:
        raise ReservationNotFound from error


@lru_cache(maxsize=4096)
def _session_text(session_id: UUID) -> str:
    return urlsafe_b64encode(session_id.bytes).rstrip(b"=").decode()
