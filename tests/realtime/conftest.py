"""The real app on the worker's servers, and sessions on sale."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from harness.web import client_of, make_resources, running_app
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool
from fullhouse.infra.resources import Resources
from fullhouse.web.edge import Edge


@pytest.fixture(scope="module")
async def resources(pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Resources:
    folder: Path = tmp_path_factory.mktemp("parts")
    return make_resources(pool, valkey, folder)


@pytest.fixture(scope="module")
async def app(resources: Resources) -> AsyncIterator[Edge]:
    async with running_app(resources, stream_seconds_max=600) as running:
        yield running


@pytest.fixture(scope="module")
async def client(app: Edge) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as opened:
        yield opened
