"""The real app over the worker's servers, and a client of it for each seller."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from harness.catalogue import Organizer
from harness.web import Seller, client_of, make_resources, make_seller, running_app
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool
from fullhouse.web.edge import Edge


@pytest.fixture(scope="module")
async def app(pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    folder: Path = tmp_path_factory.mktemp("parts")
    async with running_app(make_resources(pool, valkey, folder)) as running:
        yield running


@pytest.fixture
async def seller(pool: Pool) -> Seller:
    return await make_seller(pool)


@pytest.fixture
async def manager(app: Edge, seller: Seller) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app, **seller.bearer("manager")) as client:
        yield client


@pytest.fixture
async def anyone(app: Edge) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.fixture
def organizer(manager: httpx.AsyncClient, seller: Seller) -> Organizer:
    return Organizer(manager, seller.organization_id)
