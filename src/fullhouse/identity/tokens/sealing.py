"""Encrypting small secrets at rest, with a key derived from the server's secret. Pure.

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits before the ciphertext. What a text belongs to is
authenticated with it, so that a row cannot be given the secret of another.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fullhouse.core.clock import Randomness
from fullhouse.core.secrets import derive_key

_NONCE_BYTES = 12


def seal(server_key: bytes, purpose: str, secret: bytes, belongs_to: bytes, randomness: Randomness) -> bytes:
    """Encrypt a secret that belongs to one thing."""
    nonce = randomness(_NONCE_BYTES)
    return nonce + AESGCM(derive_key(server_key, purpose)).encrypt(nonce, secret, belongs_to)


def unseal(server_key: bytes, purpose: str, sealed: bytes, belongs_to: bytes) -> bytes | None:
    """Decrypt a secret; None if it was sealed under another key, for another thing, or was changed."""
    nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        return AESGCM(derive_key(server_key, purpose)).decrypt(nonce, ciphertext, belongs_to)
    except (InvalidTag, ValueError):
        return None
