"""Signatures of notices, as Stripe and others make them: HMAC-SHA256 over the instant and the raw bytes. Pure.

The header is ``t=<unix seconds>,v1=<hex>``, with one ``v1`` for each secret while secrets rotate.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime

from fullhouse.payments.rules import NoticeRefused

SIGNATURE_HEADER = "fullhouse-signature"
TOLERANCE_SECONDS = 300
"""How far the instant in a signature may lie from now: older ones may be replayed ones."""

_FORM = re.compile(r"t=(\d{1,12})(,v\d=[0-9a-f]{64})*,v1=[0-9a-f]{64}(,v\d=[0-9a-f]{64})*", re.ASCII)


def sign(raw: bytes, at: datetime, key: bytes) -> str:
    """Sign a notice with one key."""
    unix = int(at.timestamp())
    return f"t={unix},v1={_digest(raw, str(unix), key)}"


def check_signature(raw: bytes, header: str | None, keys: Sequence[bytes], now: datetime) -> None:
    """Check that one of the signatures was made with one of the keys (there are several while they rotate), lately.

    Raises ``NoticeRefused``.
    """
    if header is None or len(header) > 1000 or _FORM.fullmatch(header) is None:
        raise NoticeRefused("The signature is missing or malformed.")
    unix = header.partition(",")[0].removeprefix("t=")
    # Other schemes may stand beside ours: Stripe signs test notices by one more.
    signatures = [part.removeprefix("v1=") for part in header.split(",") if part.startswith("v1=")]
    genuine = [hmac.compare_digest(_digest(raw, unix, key), signature) for key in keys for signature in signatures[:5]]
    if not any(genuine):
        raise NoticeRefused("The signature does not fit.")
    if abs(now.timestamp() - int(unix)) > TOLERANCE_SECONDS:
        raise NoticeRefused(f"The signature is more than {TOLERANCE_SECONDS} seconds away from now.")


def _digest(raw: bytes, unix: str, key: bytes) -> str:
    return hmac.new(key, f"{unix}.".encode() + raw, hashlib.sha256).hexdigest()
