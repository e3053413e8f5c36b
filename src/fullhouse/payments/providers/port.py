"""The port to payment providers: what a file in this folder has to do.

``docs/how-to/write-a-payment-provider.md`` says how a new one is written, and
``tests/payments/test_provider_conformance.py`` runs against each.

Each provider is one file with one class that has the functions of ``Provider``, in that order. It is offered by a line
in ``providers.offered``.

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
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from fullhouse.core.errors import Conflict, NotFound
from fullhouse.core.json import Json
from fullhouse.infra.outbox import Cause
from fullhouse.payments.news import News, RefundNews, Told
from fullhouse.payments.rules import Charge, ProviderRefused, ProviderUnavailable, ProviderUnknown

DECLINED_BECAUSE = (
    "card_declined",
    "insufficient_funds",
    "card_expired",
    "card_details_wrong",
    "authentication_failed",
    "amount_not_possible",
    "try_again_later",
    "not_possible",
)
"""Why a try is declined, in words that each provider's file translates into, and pages explain."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt as the provider is told of it: the same, whenever it is told again.

    ``options`` is what the buyer sent beside the provider's name, checked by the provider.
    """

    organization_id: UUID
    payment_id: UUID
    order_id: UUID
    provider_key: str
    amount_minor: int
    currency: str
    started_at: datetime
    deadline_at: datetime
    options: Mapping[str, Any]
    reference: str | None = None
    """The provider's name of it, where we have heard it."""
    capture_reference: str | None = None
    """The provider's name of the money it took, where it did and we have heard it."""


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt has begun. ``next_step`` tells the client what to do: ``{"type": "wait"}``, or a page to visit."""

    charge: Charge
    next_step: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class RefundCall:
    """Money to give back, of one charge. ``reference`` is the provider's name of the refund once it has one."""

    charge: Attempt
    refund_id: UUID
    provider_key: str
    amount_minor: int
    currency: str
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class SentNotice:
    """What was sent to a provider's address for notices, not yet believed. ``headers`` have names in lower case."""

    raw: bytes
    headers: Mapping[str, str]
    organization_id: UUID | None = None
    """Whose address it was sent to, where each organization has its own."""
    cause: Cause | None = None
    """For whom it is received, where that is not the task that receives it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A verified notice: the provider's own id of it, what it is about, and its JSON.

    It names our payment, or else the money by the provider's name of it (``capture_reference``).
    """

    provider_notice_id: str
    payment_id: UUID | None
    body: Mapping[str, Any]
    capture_reference: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderKeys:
    """What an organization gave us to act for it at a provider. The first webhook secret is the newest."""

    secret_key: str = field(repr=False)
    publishable_key: str | None
    webhook_secrets: tuple[str, ...] = field(repr=False)


class ProviderKeysNotFound(NotFound):
    """The organization has given no keys for this provider."""

    code = "provider_keys_not_found"
    title = "There are no keys for this provider."


class ProviderInUse(Conflict):
    """Money is on its way that needs the keys: ``open_payments`` and ``open_refunds`` say how much of it."""

    code = "provider_in_use"
    title = "Payments or refunds of this provider are not done yet."


class Provider(Protocol):
    """What payments ask of a provider."""

    def attempt_seconds_min(self, options: Mapping[str, Any]) -> int:
        """Say how long an attempt with these options stays open at least; the hold follows it. Pure."""
        ...

    def check_options(self, options: Mapping[str, Any]) -> Mapping[str, Json]:
        """Check what the buyer sent for this provider, and return what to keep. Raises ``Invalid``. Pure."""
        ...

    async def check_keys(self, keys: ProviderKeys) -> bool:
        """Check an organization's keys, and ask the provider whether it takes them. Returns whether they move money.

        Raises ``Invalid`` for what is no key, also where this provider takes none, and ``ProviderRefused``.
        """
        ...

    async def is_offered(self, organization_id: UUID) -> bool:
        """Say whether buyers of an organization can pay with it."""
        ...

    async def start(self, attempt: Attempt) -> Started:
        """Begin an attempt, or return the one that has this key."""
        ...

    async def fetch(self, attempt: Attempt) -> Charge | None:
        """Ask how an attempt stands. None: the provider has never heard of it."""
        ...

    async def cancel(self, attempt: Attempt) -> Charge:
        """Ask that an attempt take no money any more, also one that never arrived. The answer says how it stands."""
        ...

    async def refund(self, call: RefundCall) -> RefundNews:
        """Give money back, or say how the refund stands that has this key."""
        ...

    async def read_notice(self, sent: SentNotice, now: datetime) -> Notice | None:
        """Verify and read a notice. None: it is about nothing of ours. Raises ``NoticeRefused``."""
        ...

    def news_in(self, body: Mapping[str, Any]) -> News | None:
        """Find the news in the body of a notice that was verified. None: it tells nothing new. Pure."""
        ...

    async def list_news(self, organization_id: UUID, since: datetime, until: datetime) -> Sequence[Told]:
        """List the money that was taken, refunds and disputes that began in a span of time, as they stand now."""
        ...

    async def close(self) -> None:
        """Let go of what is open to the provider."""
        ...


@runtime_checkable
class StartsTogether(Protocol):
    """What a provider has besides that takes many attempts in one call."""

    async def start_together(
        self, attempts: Sequence[Attempt]
    ) -> Sequence[Started | ProviderUnavailable | ProviderRefused]:
        """Do as ``start`` does for each of these attempts of one organization; return what it would return or raise."""
        ...


@dataclass(frozen=True, slots=True)
class Providers:
    """The providers that are offered, by name, and how long attempts last."""

    by_name: Mapping[str, Provider]
    attempt_seconds: int = 600
    """How long an attempt may stay open, unless its provider needs longer."""
    margin_seconds: int = 60
    """How long stock stays held after the deadline of an open attempt."""
    refunds_per_second: Mapping[str, float] = field(default_factory=dict[str, float])
    """How many refunds a second one organization asks of a provider; of those that are not named, as many as come."""

    def named(self, name: str) -> Provider:
        """Return a provider. Raises ``ProviderUnknown``."""
        provider = self.by_name.get(name)
        if provider is None:
            raise provider_unknown(sorted(self.by_name))
        return provider

    async def offered_to(self, organization_id: UUID) -> list[str]:
        """List the providers with which buyers of an organization can pay, in a stable order."""
        return [name for name, provider in sorted(self.by_name.items()) if await provider.is_offered(organization_id)]

    async def close(self) -> None:
        """Let go of what is open to providers."""
        for provider in self.by_name.values():
            await provider.close()


def provider_unknown(choices: Sequence[str]) -> ProviderUnknown:
    """Say which ways to pay there are."""
    message = f"Choose one of: {', '.join(choices)}." if choices else "No way to pay is set up."
    return ProviderUnknown(errors=[{"field": "provider", "message": message}])
