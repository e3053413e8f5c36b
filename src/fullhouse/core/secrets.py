"""Secrets of reservations and orders: derived from a server key and an id, so that nothing but hashes is stored.

A secret is 128 bits of HMAC-SHA256 over purpose and id, written in unpadded base64url (22 characters).
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from uuid import UUID

SECRET_BYTES = 16


def derive_key(server_key: bytes, purpose: str) -> bytes:
    """Derive 32 bytes for one purpose from the server's key, so that no key serves two purposes."""
    return hmac.digest(server_key, b"fullhouse/" + purpose.encode(), hashlib.sha256)


def derive_secret(purpose_key: bytes, thing_id: UUID) -> str:
    """Derive the secret that opens one thing."""
    digest = hmac.digest(purpose_key, thing_id.bytes, hashlib.sha256)[:SECRET_BYTES]
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def hash_secret(secret: str) -> bytes:
    """Hash a secret for storage. It has 128 bits of entropy, so a plain SHA-256 is enough (no salt, no stretching)."""
    return hashlib.sha256(secret.encode()).digest()


def same_hash(secret: str, stored_hash: bytes) -> bool:
    """Compare a presented secret with a stored hash in constant time."""
    return hmac.compare_digest(hash_secret(secret), stored_hash)
