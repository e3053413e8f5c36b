"""The servers under the tests: embedded ones for each xdist worker, or external ones given by URL."""

import os
import re
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage, rmtree
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from fullhouse.infra.embedded import postgres, valkey
from harness.contract import broken_messages

EXTERNAL_DATABASE_URL = "FULLHOUSE_TEST_DATABASE_URL"
EXTERNAL_VALKEY_URL = "FULLHOUSE_TEST_VALKEY_URL"

# The kernel is trusted in the tests that only kill processes, so nothing waits for the disk.
FAST_POSTGRES = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "256MB"}

MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of this user alone is made in it)
MEMORY_BYTES_MIN = 4 << 30


@dataclass(frozen=True)
class Servers:
    """Where the tests find Postgres (a database that only makes other databases) and Valkey."""

    admin_url: str
    valkey_url: str
    postgres: postgres.EmbeddedPostgres | None
    valkey: valkey.EmbeddedValkey | None


def folder_for_servers(otherwise: Path) -> Path:
    """Return a folder in memory where there is plenty of it: a disk takes longest to make and drop many databases."""
    if not MEMORY.is_dir() or disk_usage(MEMORY).free < MEMORY_BYTES_MIN:
        return otherwise
    folder = MEMORY / f"fullhouse-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def remove_left_over(data: Path) -> None:
    """Remove the folders of test runs that were killed before they could."""
    for folder in data.glob("test-*-*"):
        pid = folder.name.split("-")[1]
        if not Path("/proc", pid).exists():
            rmtree(folder, ignore_errors=True)


@contextmanager
def running_servers(folder: Path, worker: int) -> Generator[Servers]:
    """Start what is not given from outside; stop it and remove its folder at the end."""
    admin_url = os.environ.get(EXTERNAL_DATABASE_URL)
    valkey_url = os.environ.get(EXTERNAL_VALKEY_URL)
    remove_left_over(folder.parent)
    with ExitStack() as stack:
        stack.callback(rmtree, folder, ignore_errors=True)
        own_postgres = own_valkey = None
        if admin_url is None:
            own_postgres = postgres.start(folder / "postgres", FAST_POSTGRES)
            stack.callback(own_postgres.stop)
            admin_url = own_postgres.url
        if valkey_url is None:
            own_valkey = valkey.start(folder / "valkey")
            stack.callback(own_valkey.stop)
            valkey_url = own_valkey.url
        else:
            # External Valkey or Redis is one server for all workers: each takes a database of its own.
            valkey_url = with_path(valkey_url, f"/{worker}")
        yield Servers(admin_url, valkey_url, own_postgres, own_valkey)


def with_path(url: str, path: str) -> str:
    """Return the URL with another path (that is, another database)."""
    parts = urlsplit(url)
    # A URL of a unix socket keeps its empty host only if the two slashes are put back.
    return re.sub(r"^(\w+):/(?!/)", r"\1:///", urlunsplit(parts._replace(path=path)))


class Databases:
    """Makes databases as copies of one migrated template, quickly, and drops them."""

    def __init__(self, admin_url: str, prefix: str) -> None:
        self.admin_url = admin_url
        self.prefix = prefix
        self.template = f"{prefix}_template"
        self.made: list[str] = []

    def url(self, name: str) -> str:
        return with_path(self.admin_url, f"/{name}")

    async def create(self, suffix: str, *, empty: bool = False) -> str:
        """Make a database, a copy of the template unless ``empty``, and return its URL."""
        name = f"{self.prefix}_{suffix}"
        await self.run(f'CREATE DATABASE "{name}" TEMPLATE "{"template1" if empty else self.template}"')
        self.made.append(name)
        return self.url(name)

    async def drop(self, url: str) -> None:
        """Drop a database. Whatever was announced in it must have kept its published schema."""
        name = urlsplit(url).path.lstrip("/")
        broken = await broken_messages(url)
        await self.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self.made.remove(name)
        assert broken == []

    async def drop_all(self) -> None:
        for name in reversed(self.made.copy()):
            await self.drop(self.url(name))

    async def run(self, statement: str) -> None:
        conn = await asyncpg.connect(self.admin_url)
        try:
            await conn.execute(statement)
        finally:
            await conn.close()
