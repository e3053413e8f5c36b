"""What the machine itself can do, measured in the same run: a handler that does nothing, pgbench, the disk's fsync."""

import asyncio
import re
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

from fullhouse.infra.embedded import postgres
from fullhouse.infra.embedded.process import free_port
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, transaction
from fullhouse.operations.bench.wire import Wire

_BATCH: Final = 64
_GUARDED: Final = """
UPDATE quotas SET held = held + 1
WHERE organization_id = '{organization_id}' AND session_id = '{session_id}' AND held + sold + blocked < capacity;
"""
_IN_BATCHES: Final = """
UPDATE quotas SET held = held + {count}
WHERE organization_id = '{organization_id}' AND session_id = '{session_id}'
    AND held + sold + blocked + {count} <= capacity;
"""


@asynccontextmanager
async def bare_handler(host: str) -> AsyncGenerator[int]:
    """Run a server that checks a small JSON body and answers one, and nothing else; give its port."""
    port = free_port()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fullhouse.operations.bench.bare_handler", host, str(port)
    )
    try:
        wire = Wire(host, port)
        for _ in range(200):
            try:
                await wire.open()
                break
            except OSError:
                await asyncio.sleep(0.05)
        wire.close()
        yield port
    finally:
        child.terminate()
        await child.wait()


async def guarded_statement(url: str, pool: Pool, ids: tuple[UUID, UUID], folder: Path, seconds: int) -> float:
    """Return what 64 clients of pgbench do a second: one guarded statement on one hot row, each in its own commit.

    ``ids`` are an organization and its session, whose counters are put back afterwards.
    """
    script = _GUARDED.format(organization_id=ids[0], session_id=ids[1])
    return await _pgbench(url, pool, ids, _script(folder, script), seconds, clients=64)


async def guarded_batches(url: str, pool: Pool, ids: tuple[UUID, UUID], folder: Path, seconds: int) -> float:
    """Return how many holds a second one client of pgbench counts where each statement takes 64 at once."""
    script = _IN_BATCHES.format(organization_id=ids[0], session_id=ids[1], count=_BATCH)
    return _BATCH * await _pgbench(url, pool, ids, _script(folder, script), seconds, clients=1)


async def fsyncs(folder: Path) -> float:
    """Return how many times a second the disk under the data folder keeps a page of 8 kB for good."""
    file = folder / "fsync-test"
    printed = await _run(
        str(postgres.programs_folder() / "pg_test_fsync"), "--secs-per-test", "1", "--filename", str(file)
    )
    found = re.search(r"fdatasync\s+([\d.]+) ops/sec", printed)
    if found is None:
        raise OperatorError("pg_test_fsync did not say what fdatasync takes")
    return float(found[1])


def _script(folder: Path, text: str) -> Path:
    path = folder / "pgbench.sql"
    path.write_text(text, encoding="ascii")
    return path


async def _pgbench(url: str, pool: Pool, ids: tuple[UUID, UUID], path: Path, seconds: int, clients: int) -> float:
    command = [
        str(postgres.programs_folder() / "pgbench"),
        "--no-vacuum",
        "--protocol",
        "prepared",
        "--file",
        str(path),
    ]
    command += ["--client", str(clients), "--jobs", "1", "--time", str(seconds), url]
    printed = await _run(*command)
    found = re.search(r"tps = ([\d.]+)", printed)
    if found is None:
        raise OperatorError("pgbench did not say how many transactions it made")
    async with transaction(pool, EVERY_ORGANIZATION) as conn:
        # These counts have no reservations: they were only the limit to compare with.
        await conn.execute("UPDATE quotas SET held = 0 WHERE organization_id = $1 AND session_id = $2", *ids)
    return float(found[1])


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    printed, complaint = await process.communicate()
    if process.returncode:
        raise OperatorError(f"{Path(command[0]).name} failed: {complaint.decode(errors='replace').strip()}")
    return printed.decode(errors="replace")
