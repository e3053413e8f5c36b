"""What the conformance suite needs of each provider: a way to play the buyer, and to hear what the provider tells.

A bench is written beside a provider; ``docs/how-to/write-a-payment-provider.md`` says how.
"""

import socket
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import stripe as library

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool
from fullhouse.payments.providers.port import Attempt, Provider, ProviderKeys, SentNotice, Started
from fullhouse.payments.providers.simulated import SimulatedProvider
from fullhouse.payments.providers.simulated_books import due_charges_of
from fullhouse.payments.providers.stripe import StripeProvider
from harness.processes import Program, wait_until
from harness.sale import NOTICE_KEY
from harness.stripe_sale import PUBLIC_URL, FixedKeyring
from harness.stripe_simulator.server import SECRET_KEY, WEBHOOK_SECRET, StripeSimulator


class Bench(Protocol):
    """A provider on the bench."""

    @property
    def provider(self) -> Provider: ...

    @property
    def options(self) -> Mapping[str, Any]:
        """Return what a buyer sends for a payment that stays open until ``pay``."""
        ...

    @property
    def can(self) -> frozenset[str]:
        """Return what this provider can be tested for, beside the rest: see ``ALL``."""
        ...

    async def pay(self, attempt: Attempt, started: Started) -> None:
        """Let the buyer pay."""
        ...

    async def notices(self, attempt: Attempt) -> Sequence[SentNotice]:
        """Return what the provider has told of an attempt, signed now, as it would be sent."""
        ...


ALL = frozenset({"keys", "notices", "lists", "decimals", "never_arrived"})


@dataclass
class SimulatedBench:
    pool: Pool
    options: Mapping[str, Any] = field(default_factory=lambda: {"outcome": "late"})
    can: frozenset[str] = ALL

    def __post_init__(self) -> None:
        self.provider = SimulatedProvider(self.pool, system.make_id, system.now, (NOTICE_KEY,), late_seconds=0)

    async def pay(self, attempt: Attempt, started: Started) -> None:  # noqa: ARG002
        async with self.pool.acquire() as conn:
            self.rows = await due_charges_of(conn, attempt.organization_id, [attempt.provider_key])  # pyright: ignore[reportArgumentType]

    async def notices(self, attempt: Attempt) -> Sequence[SentNotice]:  # noqa: ARG002
        return [SentNotice(*self.provider.write_notice(row)) for row in self.rows]


@dataclass
class StripeBench:
    simulator: StripeSimulator
    form: str
    can: frozenset[str] = ALL

    def __post_init__(self) -> None:
        keys = ProviderKeys(SECRET_KEY, "pk_test_simulated12345678", (WEBHOOK_SECRET,))
        self.provider = StripeProvider(FixedKeyring(keys), system.now, PUBLIC_URL, self.simulator.url)
        self.options = {"form": self.form}

    async def pay(self, attempt: Attempt, started: Started) -> None:  # noqa: ARG002
        self.simulator.books.pay(started.charge.reference)

    async def notices(self, attempt: Attempt) -> Sequence[SentNotice]:
        return [
            SentNotice(*self.simulator.signed(event), attempt.organization_id) for event in self.simulator.books.events
        ]


@dataclass
class LibraryBench:
    """A server that speaks Stripe's language: Stripe itself with the keys of a test account, or another simulator."""

    api: str
    secret_key: str
    card: Mapping[str, Any] | str
    can: frozenset[str]

    def __post_init__(self) -> None:
        keys = ProviderKeys(self.secret_key, None, (WEBHOOK_SECRET,))
        self.provider = StripeProvider(FixedKeyring(keys), system.now, "https://tickets.example.com", self.api)
        self.options = {"form": "payment_intent"}

    async def pay(self, attempt: Attempt, started: Started) -> None:  # noqa: ARG002
        client: Any = await self.provider._client(self.provider.keyring.keys)  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
        card = self.card
        if not isinstance(card, str):
            card = (await client.v1.payment_methods.create_async({"type": "card", "card": card})).id
        await client.v1.payment_intents.update_async(started.charge.reference, {"payment_method": card})
        await client.v1.payment_intents.confirm_async(started.charge.reference)

    async def notices(self, attempt: Attempt) -> Sequence[SentNotice]:
        client = library.StripeClient(self.secret_key, base_addresses={"api": self.api})
        found = client.v1.events.list({"limit": 30})
        raw = [event.to_dict() for event in found.data]
        mine = [one for one in raw if str(attempt.payment_id) in str(one)]
        return [SentNotice(*StripeSimulator().signed(event), attempt.organization_id) for event in mine]


_ON_LOOPBACK = """
import runpy, socket, sys
bind = socket.socket.bind
socket.socket.bind = lambda self, address: bind(self, ("::1", *address[1:]))
sys.argv = ["localstripe", "--port", sys.argv[1], "--from-scratch"]
runpy.run_module("localstripe", run_name="__main__")
"""


@contextmanager
def running_localstripe(python: Path, folder: Path) -> Generator[str]:
    """Run localstripe from its own environment as a process of its own, on loopback alone; give its address."""
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        port: int = probe.getsockname()[1]
    program = Program([str(python), "-c", _ON_LOOPBACK, str(port)], folder, {"TMPDIR": str(folder)})
    try:
        wait_until(lambda: _listens(port) or program.process.poll() is not None, "localstripe answers")
        assert program.process.poll() is None, program.text()
        yield f"http://[::1]:{port}"
    finally:
        program.end()


def _listens(port: int) -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        return probe.connect_ex(("::1", port)) == 0
