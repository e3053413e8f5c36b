"""A sale whose buyers pay with Stripe, which is the simulator; its notices come when a test delivers them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fullhouse.core.errors import DomainError
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool
from fullhouse.payments.expire_attempts import expire_attempts
from fullhouse.payments.providers.keyring import Keyring
from fullhouse.payments.providers.port import ProviderKeys, Providers, SentNotice
from fullhouse.payments.providers.stripe import STRIPE, StripeProvider
from fullhouse.payments.receive_webhook import receive_webhook
from fullhouse.payments.rules import Payment
from fullhouse.payments.send_refunds import send_refunds
from fullhouse.payments.set_provider_keys import KeyMeans, KeysChange, set_provider_keys
from fullhouse.payments.starting.open_attempts import PaymentRequest
from fullhouse.payments.starting.start_payment import start_payment
from harness.sale import Sale, make_sale
from harness.stock import SERVER_KEY
from harness.stripe_account import CalledAccount, SimulatedAccount, StripeAccount, StripeItself
from harness.stripe_simulator.books import Thing
from harness.stripe_simulator.server import SECRET_KEY, WEBHOOK_SECRET, StripeSimulator

PUBLIC_URL = "http://tickets.example"
CALLED_URL = "https://tickets.example.com"
"""Stripe itself wants an address that could exist."""


class FixedKeyring(Keyring):
    """Hands out the same keys to everybody."""

    def __init__(self, keys: ProviderKeys) -> None:
        self.keys = keys

    async def find_keys(self, organization_id: UUID, provider: str) -> ProviderKeys | None:  # noqa: ARG002
        return self.keys


@dataclass
class StripeSale:
    """A sale, and the Stripe account of its organization."""

    sale: Sale
    stripe: StripeSimulator
    """The simulator, or what stands for Stripe itself and has no books."""
    provider: StripeProvider
    account: StripeAccount
    """The same, as buyers, banks and the organizer's hand use it, whichever it is."""
    delivered: int = 0

    @property
    def organization_id(self) -> UUID:
        return self.sale.made.organization_id

    async def start(self, order_id: UUID, form: str | None = None) -> Payment:
        """Start a payment; the buyer has not paid yet."""
        form = form or self.account.form
        request = PaymentRequest(self.organization_id, order_id, STRIPE, {"form": form})
        return await start_payment(self.sale.pool, system.make_id, self.sale.providers, request)

    async def order_and_start(self, form: str | None = None, quantity: int = 2) -> tuple[UUID, Payment]:
        """Order, and start to pay."""
        order_id = (await self.sale.order(quantity)).order.order_id
        return order_id, await self.start(order_id, form)

    async def pay(self, payment: Payment, card: str = "good") -> None:
        """Let the buyer enter a card."""
        assert payment.provider_reference is not None
        await self.account.pay(payment.provider_reference, card)

    async def receive(self, events: Sequence[Thing], **signing: Any) -> list[bool]:
        """Bring events to the organization's address. Returns which were new."""
        received: list[bool] = []
        for event in events:
            raw, headers = self.stripe.signed(event, **signing)
            sent = SentNotice(raw, headers, self.organization_id)
            port = (STRIPE, self.provider)
            received.append(await receive_webhook(self.sale.pool, system.make_id, port, sent, system.now()))
        return received

    async def deliver(self) -> list[str]:
        """Bring what Stripe told since the last time, and let the workers react. Returns their messages."""
        told = await self.account.told()
        events, self.delivered = told[self.delivered :], len(told)
        await self.receive(events)
        return await self.sale.work()

    async def ask(self) -> int:
        """Let the workers ask about the sale's attempts without an end."""
        await self.sale.pool.execute(
            "UPDATE payments SET asked_at = clock_timestamp() + interval '1 day' WHERE organization_id <> $1",
            self.organization_id,
        )
        asked = await expire_attempts(self.sale.pool, system.make_id, self.sale.providers, ask_after_seconds=0)
        await self.sale.work()
        return asked

    async def send_refunds(self) -> int:
        """Let the workers send refunds, however long they should wait."""
        await self.sale.pool.execute(
            "UPDATE refunds SET retry_at = NULL WHERE organization_id = $1 AND status = 'requested'",
            self.organization_id,
        )
        sent = await send_refunds(self.sale.pool, system.make_id, self.sale.providers)
        await self.sale.work()
        return sent

    async def quietly(self, action: Any) -> None:
        """Await what may be refused."""
        try:
            await action
        except DomainError:
            return


@asynccontextmanager
async def stripe_sale(
    pool: Pool, stripe: StripeSimulator, *, calls: CalledAccount | None = None, **terms: Any
) -> AsyncGenerator[StripeSale]:
    """Put a session on sale whose organization gave its keys; ``calls`` where it is not played in the books."""
    sale = await make_sale(pool, **terms)
    keyring = Keyring(pool, system.now, SERVER_KEY)
    url = str(calls.client.base_url) if calls else stripe.url
    provider = StripeProvider(keyring, system.now, PUBLIC_URL if not calls else CALLED_URL, url)
    sale.providers = Providers({**sale.providers.by_name, STRIPE: provider})
    means = KeyMeans(keyring, system.now, system.randomness)
    secret_key = calls.secret_key if calls else SECRET_KEY
    change = KeysChange(secret_key, "pk_test_simulated12345678", WEBHOOK_SECRET)
    await set_provider_keys(pool, means, sale.made.organization_id, (STRIPE, provider), change)
    try:
        if calls:
            shown: Any = StripeItself(url)
            yield StripeSale(sale, shown, provider, calls)
        else:
            yield StripeSale(sale, stripe, provider, SimulatedAccount(stripe))
    finally:
        if calls:
            await calls.client.aclose()
        await provider.close()
