"""A PostgreSQL with a synchronous replica beside it, as an operator sets one up: pg_basebackup, then a slot each."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from fullhouse.infra.embedded import postgres, process
from fullhouse.infra.embedded.process import Folder, Launch
from harness.waiting import until

BACKUP_SECONDS_MAX = 60
# The kernel is trusted where only processes are killed; commits still wait for the replica.
KERNEL_IS_TRUSTED = {"fsync": "off", "full_page_writes": "off"}


@dataclass
class Pair:
    """The two servers, and the URL under which the program finds the one that takes writes."""

    primary: postgres.EmbeddedPostgres
    replica: postgres.EmbeddedPostgres

    @property
    def url(self) -> str:
        places = [parse_qs(urlsplit(server.url).query) for server in (self.primary, self.replica)]
        hosts, ports = (",".join(place[part][0] for place in places) for part in ("host", "port"))
        return f"postgresql://fullhouse@/fullhouse?host={hosts}&port={ports}&target_session_attrs=read-write"

    async def promote(self) -> None:
        """Make the replica the one that takes writes."""
        conn = await asyncpg.connect(self.replica.url)
        try:
            assert await conn.fetchval("SELECT pg_promote(true, 30)")
        finally:
            await conn.close()


@asynccontextmanager
async def running_pair(folder: Path) -> AsyncGenerator[Pair]:
    """Run both; every commit waits until the replica has it on its disk."""
    with ExitStack() as stack:
        primary = postgres.start(folder / "one", KERNEL_IS_TRUSTED)
        stack.callback(_end, primary)
        await asyncio.to_thread(_copy, primary, folder / "two")
        replica = postgres.start(folder / "two", KERNEL_IS_TRUSTED)
        stack.callback(_end, replica)
        conn = await asyncpg.connect(primary.url)
        try:
            await conn.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            await conn.execute("SELECT pg_reload_conf()")

            async def is_synchronous() -> bool:
                return await conn.fetchval("SELECT sync_state FROM pg_stat_replication") == "sync"

            await until(is_synchronous)
        finally:
            await conn.close()
        yield Pair(primary, replica)


def _copy(primary: postgres.EmbeddedPostgres, path: Path) -> None:
    """Copy the primary's files, with how to follow it."""
    folder = Folder(path, "postgres")
    try:
        command = [str(postgres.programs_folder() / "pg_basebackup"), "--dbname", primary.url, "--pgdata"]
        command += [str(folder.path / "data"), "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast"]
        child = process.spawn(Launch("pg_basebackup", command, signal.SIGKILL, refuses_root=True), folder)
        assert child.wait(BACKUP_SECONDS_MAX) == 0, folder.last_line()
    finally:
        folder.release()


def _end(server: postgres.EmbeddedPostgres) -> None:
    """End a server whose files nobody will read again."""
    process.kill(server.child)
    server.folder.release()
