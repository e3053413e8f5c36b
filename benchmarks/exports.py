"""How much memory a CSV file of many rows takes, and how fast it is written.

``python benchmarks/exports.py [--rows 1000000] [--kind ledger]`` starts a PostgreSQL of its own, makes the rows inside
it with ``generate_series``, lets the product write the file to nowhere, and prints rows and megabytes a second, and the
peak of this process's resident memory before and after. It must stay under 200 MB however many rows there are.
"""

import argparse
import asyncio
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from fullhouse.infra.embedded import postgres
from fullhouse.infra.migrate import migrate
from fullhouse.infra.postgres import open_connection, open_pool
from fullhouse.infra.system import make_id
from fullhouse.reports.export_csv import Exporter
from fullhouse.reports.rules import ExportKind, Scope

MEGABYTES_MAX = 200
ROWS_AT_ONCE = 50_000
KINDS: tuple[ExportKind, ...] = ("ledger", "orders")

HOUSE = """
INSERT INTO organizations (organization_id, name) VALUES ($1, 'Casa da Ribeira');
"""
EVENT = """
INSERT INTO events (organization_id, event_id, name, time_zone, currency)
VALUES ($1, $1, '=Noite de "Fado", na ribeira', 'Europe/Lisbon', 'EUR')
"""
SESSION = """
INSERT INTO sessions (organization_id, session_id, event_id, time_zone, starts_local, starts_at)
VALUES ($1, $1, $1, 'Europe/Lisbon', '2031-07-12 21:00', '2031-07-12 20:00Z')
"""
ORDERS = """
INSERT INTO orders (organization_id, order_id, event_id, session_id, reservation_id, status, secret_hash, total_minor,
                    currency, paid_at)
SELECT $1, gen_random_uuid(), $1, $1, gen_random_uuid(), 'paid', '', 2500, 'EUR', clock_timestamp()
FROM generate_series(1, $2)
"""
LEDGER = """
INSERT INTO ledger_entries (organization_id, entry_id, line, account, amount_minor, currency, order_id, event_id,
                            session_id)
SELECT $1, entry.id, line.number, line.account, line.amount, 'EUR', $1, $1, $1
FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, $2 / 2)) AS entry
CROSS JOIN (VALUES (1, 'buyers', 2500), (2, 'sales', -2500)) AS line(number, account, amount)
"""


def megabytes() -> float:
    """Return the most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def fill(url: str, organization_id: UUID, kind: str, rows: int) -> None:
    """Make the rows inside the database, as who owns its tables."""
    conn = await open_connection(url)
    try:
        # Only the rows matter here, and not that their books agree with anything.
        await conn.execute("SET session_replication_role = replica")
        for statement in (HOUSE, EVENT, SESSION):
            await conn.execute(statement, organization_id)
        for start in range(0, rows, ROWS_AT_ONCE):
            count = min(ROWS_AT_ONCE, rows - start)
            await conn.execute(LEDGER if kind == "ledger" else ORDERS, organization_id, count)
        await conn.execute("ANALYZE")
    finally:
        await conn.close()


async def run(url: str, kind: ExportKind, rows: int) -> int:
    """Fill, export, and say how it went. Returns 1 where it took too much memory."""
    await migrate(url)
    organization_id = make_id()
    await fill(url, organization_id, kind, rows)
    pool = await open_pool(url, size_max=2)
    before, began = megabytes(), time.perf_counter()
    size = lines = 0
    async for some in Exporter(pool).export_csv(kind, Scope(organization_id), with_contacts=True):
        size += len(some)
        lines += some.count(b"\r\n")
    seconds = time.perf_counter() - began
    await pool.close()
    print(
        f"{kind}: {lines - 1} rows, {size / 1e6:.0f} MB in {seconds:.1f} s ({(lines - 1) / seconds:.0f} rows/s, "
        f"{size / 1e6 / seconds:.1f} MB/s); peak memory {megabytes():.0f} MB, before it {before:.0f} MB"
    )
    return int(megabytes() > MEGABYTES_MAX or lines - 1 != rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=KINDS, default="ledger")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="exports-", dir=".data" if Path(".data").is_dir() else None) as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            code = asyncio.run(run(server.url, options.kind, options.rows))
        finally:
            server.stop()
    raise SystemExit(code)


if __name__ == "__main__":
    main()
