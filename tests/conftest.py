"""Fixtures for all tests: a migrated database and a Valkey, real ones, for each xdist worker.

``database_url``    a migrated database that the tests of one worker share; every test makes its own organization,
                    so nothing is ever emptied
``pool``            a pool on it, as the product opens it; what is run on the pool itself is the owner's (harness.pools)
``module_database`` the URL of a migrated database that the tests of one module share (``module_pool``: a pool on it)
``fresh_database``  the URL of a migrated database that belongs to one test (``fresh_pool``: a pool on it)
``empty_database``  the URL of a database without a schema, for one test
``valkey_url``, ``valkey``  a server and a client (answers in bytes), emptied for each module
``servers``         the embedded servers themselves, for tests that kill them; None where they are external
``short_folder``    a folder in which a server's socket has a path that is not too long
``clean_environment``  no FULLHOUSE_ variable is set, here or in child processes
"""

import os
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
from harness.pools import open_owners_pool
from harness.processes import short_folder_in
from harness.servers import Databases, Servers, folder_for_servers, running_servers
from hypothesis import settings
from valkey.asyncio import Valkey

from fullhouse.infra.migrate import migrate
from fullhouse.infra.postgres import Pool

# How long an example takes says what else the machine does.
settings.register_profile("fullhouse", parent=settings(), deadline=None)
settings.load_profile("fullhouse")

ROOT = Path(__file__).parents[1]
_numbers = count(1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what reaches the servers: on other servers of the same kind, the rest would prove nothing new."""
    for item in items:
        if "servers" in getattr(item, "fixturenames", ()):
            item.add_marker("servers")


@pytest.fixture(scope="session")
def worker_number(worker_id: str) -> int:
    return int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0


@pytest.fixture(scope="session")
def servers(worker_number: int) -> Iterator[Servers]:
    folder = folder_for_servers(ROOT / ".data") / f"test-{os.getpid()}-{worker_number}"
    with running_servers(folder, worker_number) as running:
        yield running


@pytest.fixture(scope="session")
async def databases(servers: Servers) -> AsyncIterator[Databases]:
    made = Databases(servers.admin_url, f"fullhouse_test_{os.getpid()}")
    try:
        await migrate(await made.create("template", empty=True))
        yield made
    finally:
        await made.drop_all()


@pytest.fixture(scope="session")
async def database_url(databases: Databases) -> str:
    return await databases.create("shared")


@pytest.fixture(scope="session")
async def pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await open_owners_pool(database_url)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
async def module_database(databases: Databases) -> AsyncIterator[str]:
    url = await databases.create(f"module_{next(_numbers)}")
    yield url
    await databases.drop(url)


@pytest.fixture(scope="module")
async def module_pool(module_database: str) -> AsyncIterator[Pool]:
    opened = await open_owners_pool(module_database)
    yield opened
    await opened.close()


@pytest.fixture
async def fresh_database(databases: Databases) -> AsyncIterator[str]:
    url = await databases.create(f"fresh_{next(_numbers)}")
    yield url
    await databases.drop(url)


@pytest.fixture
async def fresh_pool(fresh_database: str) -> AsyncIterator[Pool]:
    opened = await open_owners_pool(fresh_database)
    yield opened
    await opened.close()


@pytest.fixture
async def empty_database(databases: Databases) -> AsyncIterator[str]:
    url = await databases.create(f"empty_{next(_numbers)}", empty=True)
    yield url
    await databases.drop(url)


@pytest.fixture(scope="session")
def valkey_url(servers: Servers) -> str:
    return servers.valkey_url


@pytest.fixture(scope="module")
async def valkey(valkey_url: str) -> AsyncIterator[Valkey]:
    client = Valkey.from_url(valkey_url)
    await client.flushdb()
    yield client
    await client.aclose()


@pytest.fixture
def short_folder() -> Iterator[Path]:
    with short_folder_in(ROOT / ".data") as folder:
        yield folder


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FULLHOUSE_")]:
        monkeypatch.delenv(name)
