"""Which providers are offered: one line for each."""

from dataclasses import dataclass

from fullhouse.core.clock import Clock
from fullhouse.core.ids import MakeId
from fullhouse.core.secrets import derive_key
from fullhouse.infra.postgres import Pool
from fullhouse.payments.providers.port import Provider, Providers
from fullhouse.payments.providers.simulated import SIMULATED, SimulatedProvider


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """What the operator decides about payments."""

    simulated: bool
    simulated_late_seconds: float = 20.0
    attempt_seconds: int = 600
    margin_seconds: int = 60


def open_providers(pool: Pool, make_id: MakeId, clock: Clock, secret_key: bytes, terms: PaymentTerms) -> Providers:
    """Put together the providers that the operator offers. ``secret_key`` is the server's."""
    by_name: dict[str, Provider] = {}
    if terms.simulated:
        keys = (derive_key(secret_key, "simulated provider"),)
        by_name[SIMULATED] = SimulatedProvider(pool, make_id, clock, keys, terms.simulated_late_seconds)
    return Providers(by_name, terms.attempt_seconds, terms.margin_seconds)
