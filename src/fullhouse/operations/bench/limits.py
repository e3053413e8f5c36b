"""What the machine itself can do, measured in the same run: a handler that does nothing, pgbench, the disk's fsync."""

import asyncio
import re
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fullhouse.infra.embedded import postgres
from fullhouse.infra.embedded.process import free_port
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.postgres import Connection, open_connection
from fullhouse.operations.bench.wire import Wire

_BATCH: Final = 64
PGBENCH_SECONDS_MIN: Final = 5
"""Its clients need a moment to connect."""

_HOT_ROW: Final = """
    CREATE TABLE IF NOT EXISTS bench_counters (LIKE quotas INCLUDING ALL);
    DELETE FROM bench_counters;
    INSERT INTO bench_counters (organization_id, session_id, quota_id, kind, name, capacity)
    VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002',
            '00000000-0000-0000-0000-000000000003', 'category', 'hot', 2000000000);
    DROP TABLE IF EXISTS bench_holds;
    CREATE TABLE bench_holds (LIKE reservations INCLUDING ALL)
"""
_GUARDED: Final = """
UPDATE bench_counters SET held = held + 1
WHERE organization_id = '00000000-0000-0000-0000-000000000001' AND session_id = '00000000-0000-0000-0000-000000000002'
    AND quota_id = '00000000-0000-0000-0000-000000000003' AND held + sold + blocked < capacity;
"""
_WITH_ROW: Final = f"""
WITH counted AS ({_GUARDED.strip().removesuffix(";")} RETURNING organization_id, session_id, quota_id)
INSERT INTO bench_holds (organization_id, reservation_id, session_id, token_hash, items, total_minor, currency,
    quota_ids, quota_counts, held_at, expires_at, expires_at_max, idempotency_key, fingerprint, first_expires_at)
SELECT organization_id, gen_random_uuid(), session_id, decode(repeat('ab', 32), 'hex'),
    jsonb_build_array(jsonb_build_object('ticket_type_id', quota_id, 'ticket_type', 'Adult', 'quantity', 1,
        'price_category_id', quota_id, 'price_category', 'Adult', 'area', null, 'seats', '[]'::jsonb,
        'price_minor', 2500, 'quota_ids', jsonb_build_array(quota_id))),
    2500, 'EUR', ARRAY[quota_id], ARRAY[1], now(), now() + interval '10 minutes', now() + interval '2 hours',
    gen_random_uuid()::text, 'fingerprint', now() + interval '10 minutes' FROM counted;
""".replace("\n", " ")
_IN_BATCHES: Final = _GUARDED.replace("held + 1", f"held + {_BATCH}")


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


@asynccontextmanager
async def as_owner(url: str) -> AsyncGenerator[Connection]:
    """Connect as the owner of the tables, whom row level security does not bind, for a block."""
    conn = await open_connection(url, application_name="fullhouse-bench")
    try:
        yield conn
    finally:
        await conn.close()


async def guarded_statement(url: str, folder: Path, seconds: float, *, with_row: bool = False) -> float:
    """Return what 64 clients of pgbench do a second: one guarded statement on one hot row, each in its own commit.

    The row is as a quota's, with the same indexes, in a table of its own. ``with_row`` writes a reservation as well,
    into another, as somebody would who makes each hold by one statement.
    """
    return await _pgbench(url, _script(folder, _WITH_ROW if with_row else _GUARDED), seconds, clients=64)


async def guarded_batches(url: str, folder: Path, seconds: float) -> float:
    """Return how many holds a second one client of pgbench counts where each statement takes 64 at once."""
    return _BATCH * await _pgbench(url, _script(folder, _IN_BATCHES), seconds, clients=1)


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


async def _pgbench(url: str, path: Path, seconds: float, clients: int) -> float:
    async with as_owner(url) as conn:
        await conn.execute(_HOT_ROW)
    least = max(PGBENCH_SECONDS_MIN, round(seconds))
    for length in (least, 4 * least):
        command = [str(postgres.programs_folder() / "pgbench"), "--no-vacuum", "--protocol", "prepared"]
        command += ["--file", str(path), "--client", str(clients), "--jobs", "1", "--time", str(length), url]
        found = re.search(r"tps = ([\d.]+)", await _run(*command))
        if found is not None:
            return float(found[1])
    raise OperatorError("the machine is too busy: pgbench made no transaction")


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    printed, complaint = await process.communicate()
    if process.returncode:
        raise OperatorError(f"{Path(command[0]).name} failed: {complaint.decode(errors='replace').strip()}")
    return printed.decode(errors="replace")
