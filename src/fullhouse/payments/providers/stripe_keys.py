"""What Stripe's keys look like. Pure."""

import re

from fullhouse.core.errors import Invalid
from fullhouse.payments.providers.port import ProviderKeys

_SECRET_KEY = re.compile(r"[rs]k_(test|live)_[A-Za-z0-9]{8,250}", re.ASCII)
_PUBLISHABLE_KEY = re.compile(r"pk_(test|live)_[A-Za-z0-9]{8,250}", re.ASCII)
_WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=_-]{8,250}", re.ASCII)


def check_keys_form(keys: ProviderKeys) -> bool:
    """Say whether keys move money (``live``). Raises ``Invalid`` for what is no key of Stripe, and for a mixture."""
    secret = _SECRET_KEY.fullmatch(keys.secret_key)
    if secret is None:
        raise _invalid("secret_key", "A key of Stripe's API begins with sk_test_, sk_live_, rk_test_ or rk_live_.")
    public = _PUBLISHABLE_KEY.fullmatch(keys.publishable_key) if keys.publishable_key else secret
    if public is None:
        raise _invalid("publishable_key", "A publishable key of Stripe begins with pk_test_ or pk_live_.")
    if public[1] != secret[1]:
        raise _invalid("publishable_key", "One key is for tests, and the other moves money.")
    if not all(_WEBHOOK_SECRET.fullmatch(webhook) for webhook in keys.webhook_secrets):
        raise _invalid("webhook_secret", "The signing secret of an endpoint begins with whsec_.")
    return secret[1] == "live"


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(f"{field}: {message}", errors=[{"field": field, "message": message}])
