"""The real app in the test's process, and people who sign in to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from harness.members import People
from harness.web import client_of, make_resources, running_app
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool
from fullhouse.infra.resources import Resources
from fullhouse.web.edge import Edge


@pytest.fixture(scope="module")
async def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parts")


@pytest.fixture(scope="module")
async def resources(pool: Pool, valkey: Valkey, mailbox: Path) -> Resources:
    return make_resources(pool, valkey, mailbox)


@pytest.fixture(scope="module")
async def app(resources: Resources) -> AsyncIterator[Edge]:
    async with running_app(resources) as running:
        yield running


@pytest.fixture(scope="module")
async def people(app: Edge, pool: Pool) -> People:
    return People(app, pool)


@pytest.fixture(scope="module")
async def client(app: Edge) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as opened:
        yield opened
