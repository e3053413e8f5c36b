"""The ways to pay that an order's page offers. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from fullhouse.infra.languages import Translator
from fullhouse.payments.providers.simulated import SIMULATED
from fullhouse.web.pages.shop.simulated import Ending, payment_endings


@dataclass(frozen=True, slots=True)
class Way:
    """One way to pay. The simulated one asks how it shall end; the others lead to a page of the provider."""

    provider: str
    name: str
    endings: tuple[Ending, ...]


def ways_to_pay(offered: Sequence[str], speak: Translator) -> list[Way]:
    """List the ways, real ones first."""
    names = sorted(offered, key=lambda name: name == SIMULATED)
    return [Way(name, name.title(), tuple(payment_endings(speak)) if name == SIMULATED else ()) for name in names]
