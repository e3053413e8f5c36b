"""Secrets of reservations and orders: derived from a server key and an id, so that nothing but hashes is stored.

A secret is 128 bits of keyed BLAKE2b over the id, under a key of its purpose, written in unpadded base64url (22
characters). BLAKE2b, because each hold derives one: HMAC-SHA256 takes four times as long.
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
    digest = hashlib.blake2b(thing_id.bytes, key=purpose_key, digest_size=SECRET_BYTES).digest()
    return urlsafe_b64encode(digest)[:-2].decode()


def hash_secret(secret: str) -> bytes:
    """Hash a secret for storage. It has 128 bits of entropy, so a plain SHA-256 is enough (no salt, no stretching)."""
    return hashlib.sha256(secret.encode()).digest()


def same_hash(secret: str, stored_hash: bytes) -> bool:
    """Compare a presented secret with a stored hash in constant time."""
    return hmac.compare_digest(hash_secret(secret), stored_hash)
