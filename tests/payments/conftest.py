"""Stripe's simulator, and a sale that is paid with it, and where ``STRIPE_API_KEY`` is set with Stripe itself."""

from collections.abc import AsyncIterator

import pytest
from harness.stripe_account import TARGETS, called_account
from harness.stripe_sale import StripeSale, stripe_sale
from harness.stripe_simulator.server import StripeSimulator, running_simulator

from fullhouse.infra.postgres import Pool


@pytest.fixture
async def stripe() -> AsyncIterator[StripeSimulator]:
    async with running_simulator() as simulator:
        yield simulator


@pytest.fixture(params=TARGETS)
async def shop_with_stripe(
    request: pytest.FixtureRequest, pool: Pool, stripe: StripeSimulator
) -> AsyncIterator[StripeSale]:
    calls = called_account(stripe) if request.param == "Stripe itself" else None
    async with stripe_sale(pool, stripe, calls=calls) as sale:
        yield sale
