"""The port to payment providers: what a file in this folder has to do, and how a new one is written.

Each provider is one file with one class that has the functions of ``Provider``, in that order: ``start``, ``fetch``,
``cancel``, ``refund``, ``read_notice``, ``charge_in``. It is offered by a line in ``providers.offered``.

- It is called outside transactions. It is given a key that is stored before the call; the same key twice is one
  payment, or one refund, at the provider.
- It raises ``ProviderUnavailable`` when it does not know what became of a call (timeouts, answers of 500 and above,
  broken connections), and ``ProviderRefused`` when the same call can never succeed. Nothing else.
- It translates amounts into the provider's exponents itself. Here they are ISO 4217 minor units.
- It hands the payment's id to the provider, and finds it again in every notice and charge.
- A charge that is authorized, or captured in part, is ``open`` until it is captured whole.
- Notices are only trusted after ``read_notice`` has verified them over the raw bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from fullhouse.core.json import Json
from fullhouse.payments.rules import Charge, ProviderUnknown


@dataclass(frozen=True, slots=True)
class ChargeKey:
    """Names an attempt at the provider: by our key, and by its reference where we have heard it."""

    organization_id: UUID
    payment_id: UUID
    provider_key: str
    reference: str | None


@dataclass(frozen=True, slots=True)
class StartCall:
    """An attempt to begin. ``options`` is what the buyer sent beside the provider's name, checked by the provider."""

    key: ChargeKey
    amount_minor: int
    currency: str
    deadline_at: datetime
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt has begun. ``next_step`` tells the client what to do: ``{"type": "wait"}``, or a page to visit."""

    charge: Charge
    next_step: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class RefundCall:
    """Money to give back, of one charge."""

    charge: ChargeKey
    refund_id: UUID
    provider_key: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Refunded:
    """The provider took a refund on. While ``done`` is false it is asked again, with the same key."""

    reference: str
    done: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """A verified notice: the provider's own id of it, the payment that it is about, and its JSON."""

    provider_notice_id: str
    payment_id: UUID
    body: Mapping[str, Any]


class Provider(Protocol):
    """What payments ask of a provider."""

    @property
    def attempt_seconds_min(self) -> int:
        """How long an attempt at this provider stays open at least; the hold follows it."""
        ...

    def check_options(self, options: Mapping[str, Any]) -> Mapping[str, Json]:
        """Check what the buyer sent for this provider, and return what to keep. Raises ``Invalid``. Pure."""
        ...

    async def start(self, call: StartCall) -> Started:
        """Begin an attempt, or return the one that has this key."""
        ...

    async def fetch(self, key: ChargeKey) -> Charge | None:
        """Ask how an attempt stands. None: the provider has never heard of it."""
        ...

    async def cancel(self, key: ChargeKey) -> Charge:
        """Ask that an attempt take no money any more, also one that never arrived. The answer says how it stands."""
        ...

    async def refund(self, call: RefundCall) -> Refunded:
        """Give money back, or return the refund that has this key."""
        ...

    def read_notice(self, raw: bytes, headers: Mapping[str, str], now: datetime) -> Notice | None:
        """Verify and read a notice; header names are in lower case. None: it is about nothing of ours.

        Raises ``NoticeRefused``. Pure.
        """
        ...

    def charge_in(self, body: Mapping[str, Any]) -> Charge | None:
        """Find the charge in the body of a notice that was verified. None: it tells nothing about a charge. Pure."""
        ...


@dataclass(frozen=True, slots=True)
class Providers:
    """The providers that are offered, by name, and how long attempts last."""

    by_name: Mapping[str, Provider]
    attempt_seconds: int = 600
    """How long an attempt may stay open, unless its provider needs longer."""
    margin_seconds: int = 60
    """How long stock stays held after the deadline of an open attempt."""

    def named(self, name: str) -> Provider:
        """Return a provider. Raises ``ProviderUnknown``."""
        provider = self.by_name.get(name)
        if provider is None:
            choices: Sequence[str] = sorted(self.by_name)
            message = f"Choose one of: {', '.join(choices)}." if choices else "No way to pay is set up."
            errors = [{"field": "provider", "message": message}]
            raise ProviderUnknown(errors=errors)
        return provider
