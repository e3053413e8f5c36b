"""Receivers on loopback, and a sender that reaches them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from harness.receivers import Receiver, make_authority, outside_of, running_receiver
from harness.webhooks import Webhooks, make_webhooks

from fullhouse.infra.outgoing import Outside
from fullhouse.infra.postgres import Pool


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def outside(authority: tuple[Path, Path]) -> Outside:
    return outside_of(authority[0])


@pytest.fixture
async def receiver(authority: tuple[Path, Path]) -> AsyncIterator[Receiver]:
    async with running_receiver(authority[1]) as running:
        yield running


@pytest.fixture
async def second_receiver(authority: tuple[Path, Path]) -> AsyncIterator[Receiver]:
    async with running_receiver(authority[1]) as running:
        yield running


@pytest.fixture
async def webhooks(fresh_pool: Pool, outside: Outside) -> Webhooks:
    return await make_webhooks(fresh_pool, outside)
