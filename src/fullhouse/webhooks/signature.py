"""Secrets and signatures of Standard Webhooks (https://www.standardwebhooks.com), version ``v1``. Pure.

A secret is ``whsec_`` and 32 bytes in base64. It is derived from the server's key, the endpoint and the number of the
secret, so that no table holds it; a rotation raises the number. What is signed is ``id.timestamp.body``.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from uuid import UUID

from fullhouse.core.secrets import derive_key

SECRET_PREFIX = "whsec_"  # noqa: S105 (what every secret begins with)
_PURPOSE = "webhook"


def derive_webhook_secret(server_key: bytes, endpoint_id: UUID, secret_number: int) -> str:
    """Derive the secret of an endpoint, as its owner sees it."""
    named = endpoint_id.bytes + secret_number.to_bytes(8, "big")
    return SECRET_PREFIX + b64encode(hmac.digest(derive_key(server_key, _PURPOSE), named, hashlib.sha256)).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Sign a body: ``v1,`` and HMAC-SHA256 in base64. ``timestamp`` counts seconds from 1970."""
    key = b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def signature_headers(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers, with a signature for each secret that is good at present."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(secret, message_id, timestamp, body) for secret in secrets),
    }
