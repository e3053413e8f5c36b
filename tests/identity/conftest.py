"""The real app on real parts, without a server between it and the test, called from an address of its own per test."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import httpx
import pytest
from harness.web import client_of, make_resources, running_app
from valkey.asyncio import Valkey

from fullhouse.access.accounts.parts import Accounts
from fullhouse.identity.tries import Tries
from fullhouse.infra.postgres import Pool
from fullhouse.infra.resources import Resources
from fullhouse.web.edge import Edge

_numbers = count(1)


@pytest.fixture(scope="module")
async def resources(pool: Pool, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Resources:
    folder: Path = tmp_path_factory.mktemp("parts")
    return make_resources(pool, valkey, folder)


@pytest.fixture(scope="module")
async def app(resources: Resources) -> AsyncIterator[Edge]:
    async with running_app(resources) as running:
        # Requests are not counted here, but tries are.
        running.api.state.accounts = replace_tries(running.api.state.accounts, resources)
        yield running


def replace_tries(accounts: Accounts, resources: Resources) -> Accounts:
    return replace(accounts, means=replace(accounts.means, tries=Tries(resources.valkey, resources.clock)))


@pytest.fixture
async def client(app: Edge) -> AsyncIterator[httpx.AsyncClient]:
    number = next(_numbers)
    async with client_of(app, f"198.51.{100 + number // 250}.{number % 250}") as opened:
        yield opened
