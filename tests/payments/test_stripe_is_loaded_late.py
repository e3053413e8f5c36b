"""Stripe's library takes most of a second to load: whoever starts without calling Stripe never loads it."""

import subprocess
import sys

START = """
import sys
import fullhouse.web.app, fullhouse.workers.work, fullhouse.cli.main
from fullhouse.infra import system
from fullhouse.payments.providers.offered import PaymentTerms, open_providers

providers = open_providers(None, system.make_id, system.now, bytes(32), PaymentTerms(simulated=True))
stripe = providers.named("stripe")
assert stripe.check_options({}) == {"form": "hosted_page"}
assert stripe.attempt_seconds_min({"form": "hosted_page"}) > 1800
print(*sys.modules)
"""


def test_whoever_starts_without_calling_stripe_does_not_load_its_library() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", START], check=True, capture_output=True, text=True, timeout=60
    ).stdout.split()
    assert "fullhouse.payments.providers.stripe" in loaded
    assert [name for name in loaded if name.partition(".")[0] == "stripe"] == []
