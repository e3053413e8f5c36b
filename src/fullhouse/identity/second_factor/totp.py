"""Time-based one-time codes (RFC 6238), as every authenticator app makes them: SHA-1, six digits, 30 seconds. Pure."""

import hmac
from base64 import b32encode
from datetime import datetime
from hashlib import sha1
from urllib.parse import quote, urlencode

SECRET_BYTES = 20
STEP_SECONDS = 30
DIGITS = 6
STEPS_AROUND = 1
"""How many steps a clock may be behind or ahead."""


def code_at(secret: bytes, step: int) -> str:
    """Return the code of one step of 30 seconds since 1970 (RFC 4226)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def find_step(secret: bytes, code: str, now: datetime) -> int | None:
    """Return the step whose code this is, of the present one and its neighbours, or None."""
    present = int(now.timestamp()) // STEP_SECONDS
    found: int | None = None
    for step in range(present - STEPS_AROUND, present + STEPS_AROUND + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            found = step
    return found


def write_secret(secret: bytes) -> str:
    """Write a secret as people type it into an app."""
    return b32encode(secret).decode()


def write_uri(secret: bytes, email: str, issuer: str) -> str:
    """Write what an app reads from a QR picture."""
    label = f"{quote(issuer, safe='')}:{quote(email, safe='@')}"
    query = {"secret": write_secret(secret), "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS}
    return f"otpauth://totp/{label}?{urlencode({**query, 'period': STEP_SECONDS}, quote_via=quote)}"
