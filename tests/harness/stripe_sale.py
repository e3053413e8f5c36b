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
from fullhouse.payments.start_payment import PaymentRequest, start_payment
from harness.sale import Sale, make_sale
from harness.stock import SERVER_KEY
from harness.stripe_simulator.books import Thing
from harness.stripe_simulator.server import SECRET_KEY, WEBHOOK_SECRET, StripeSimulator

PUBLIC_URL = "http://tickets.example"


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
    provider: StripeProvider
    delivered: int = 0

    @property
    def organization_id(self) -> UUID:
        return self.sale.made.organization_id

    async def start(self, order_id: UUID, form: str = "hosted_page") -> Payment:
        """Start a payment; the buyer has not paid yet."""
        request = PaymentRequest(self.organization_id, order_id, STRIPE, {"form": form})
        return await start_payment(self.sale.pool, system.make_id, self.sale.providers, request)

    async def order_and_start(self, form: str = "hosted_page", quantity: int = 2) -> tuple[UUID, Payment]:
        """Order, and start to pay."""
        order_id = (await self.sale.order(quantity)).order.order_id
        return order_id, await self.start(order_id, form)

    def pay(self, payment: Payment, card: str = "good") -> Thing:
        """Let the buyer enter a card."""
        assert payment.provider_reference is not None
        return self.stripe.books.pay(payment.provider_reference, card)

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
        events = self.stripe.books.events[self.delivered :]
        self.delivered = len(self.stripe.books.events)
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
async def stripe_sale(pool: Pool, stripe: StripeSimulator, **terms: Any) -> AsyncGenerator[StripeSale]:
    """Put a session on sale whose organization gave its keys."""
    sale = await make_sale(pool, **terms)
    keyring = Keyring(pool, system.now, SERVER_KEY)
    provider = StripeProvider(keyring, system.now, PUBLIC_URL, stripe.url)
    sale.providers = Providers({**sale.providers.by_name, STRIPE: provider})
    means = KeyMeans(keyring, system.now, system.randomness)
    change = KeysChange(SECRET_KEY, "pk_test_simulated12345678", WEBHOOK_SECRET)
    await set_provider_keys(pool, means, sale.made.organization_id, (STRIPE, provider), change)
    try:
        yield StripeSale(sale, stripe, provider)
    finally:
        await provider.close()
