"""Stripe's simulator, and a sale that is paid with it."""

from collections.abc import AsyncIterator

import pytest
from harness.stripe_sale import StripeSale, stripe_sale
from harness.stripe_simulator.server import StripeSimulator, running_simulator

from fullhouse.infra.postgres import Pool


@pytest.fixture
async def stripe() -> AsyncIterator[StripeSimulator]:
    async with running_simulator() as simulator:
        yield simulator


@pytest.fixture
async def shop_with_stripe(pool: Pool, stripe: StripeSimulator) -> AsyncIterator[StripeSale]:
    async with stripe_sale(pool, stripe) as sale:
        yield sale
