"""The real app on real parts."""

from collections.abc import AsyncIterator

import httpx
import pytest
from harness.web import client_of, make_resources, running_app
from valkey.asyncio import Valkey

from fullhouse.infra.postgres import Pool


@pytest.fixture(scope="module")
async def client(
    pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    resources = make_resources(pool, valkey, tmp_path_factory.mktemp("parts"))
    async with running_app(resources) as app, client_of(app) as opened:
        yield opened
