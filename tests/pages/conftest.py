"""The shop on the real app, with buyers and a seller, and sales that a test drives by itself."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from harness.catalogue import Organizer
from harness.sale import Sale, make_sale
from harness.stock import SERVER_KEY
from harness.web import Seller, client_of, make_resources, make_seller, running_app
from pages.browsing import Buyer
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool
from fullhouse.infra.resources import Resources
from fullhouse.web.edge import Edge


@pytest.fixture(scope="module")
async def resources(pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Resources:
    return make_resources(pool, valkey, tmp_path_factory.mktemp("parts"), secret_key=SERVER_KEY)


@pytest.fixture(scope="module")
async def app(resources: Resources) -> AsyncIterator[Edge]:
    async with running_app(resources, simulated_late_seconds=3600) as running:
        yield running


@pytest.fixture
async def buyer(app: Edge) -> AsyncIterator[Buyer]:
    async with client_of(app, **{"Accept-Language": "en"}) as client:
        yield Buyer(client)


@pytest.fixture(scope="module")
async def seller(pool: Pool) -> Seller:
    return await make_seller(pool)


@pytest.fixture
async def organizer(app: Edge, seller: Seller) -> AsyncIterator[Organizer]:
    async with client_of(app, **seller.bearer("manager")) as client:
        yield Organizer(client, seller.organization_id)


@pytest.fixture
def api(organizer: Organizer) -> httpx.AsyncClient:
    return organizer.client


@pytest.fixture
def put_on_sale(pool: Pool) -> Callable[..., Awaitable[Sale]]:
    """Put a session on sale whose messages the test works off by itself."""

    async def make(**plan: object) -> Sale:
        return await make_sale(pool, **plan)  # pyright: ignore[reportArgumentType]

    return make


@pytest.fixture(scope="session")
def folder() -> Path:
    return Path(__file__).parent
