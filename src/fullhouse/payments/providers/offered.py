"""Which providers are offered: one line for each."""

from dataclasses import dataclass
from importlib.util import find_spec

from fullhouse.core.clock import Clock
from fullhouse.core.ids import MakeId
from fullhouse.core.secrets import derive_key
from fullhouse.infra.postgres import Pool
from fullhouse.payments.providers.keyring import Keyring
from fullhouse.payments.providers.port import Provider, Providers
from fullhouse.payments.providers.simulated import SIMULATED, SimulatedProvider
from fullhouse.payments.providers.stripe import STRIPE, StripeProvider

STRIPE_API = "https://api.stripe.com"


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """What the operator decides about payments."""

    simulated: bool
    simulated_late_seconds: float = 20.0
    attempt_seconds: int = 600
    margin_seconds: int = 60
    public_url: str = "http://127.0.0.1:8000"
    stripe_api: str = STRIPE_API
    stripe_refunds_per_second: float = 20.0


def open_providers(
    pool: Pool,
    make_id: MakeId,
    clock: Clock,
    secret_key: bytes,
    terms: PaymentTerms,
    keyring: Keyring | None = None,
) -> Providers:
    """Put together the providers that the operator offers. ``secret_key`` is the server's.

    Stripe is there where its library is installed (``fullhouse[stripe]``), for organizations that gave their keys.
    """
    by_name: dict[str, Provider] = {}
    if terms.simulated:
        keys = (derive_key(secret_key, "simulated provider"),)
        by_name[SIMULATED] = SimulatedProvider(pool, make_id, clock, keys, terms.simulated_late_seconds)
    if find_spec("stripe") is not None:
        keyring = keyring or Keyring(pool, clock, secret_key)
        by_name[STRIPE] = StripeProvider(keyring, clock, terms.public_url, terms.stripe_api)
    rates = {"stripe": terms.stripe_refunds_per_second}
    return Providers(by_name, terms.attempt_seconds, terms.margin_seconds, rates)
