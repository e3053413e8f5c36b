"""Rows laid straight into the tables of a house that is measured: what years of selling leave, and many sessions.

Nobody may find them broken who only sells: they are of the same organization, long over, and complete in their tables.
"""

import asyncio
import shutil
from pathlib import Path
from typing import Final

from fullhouse.infra import system
from fullhouse.infra.errors import OperatorError
from fullhouse.operations.bench.limits import as_owner
from fullhouse.operations.bench.stock import OnSale

_ROWS_AT_ONCE: Final = 100_000
_WRITERS: Final = 2
_BYTES_A_ROW: Final = 2_600
"""What one row in each of the tables takes on the disk, with its indexes."""
_LOG_BYTES: Final = 8 << 30
"""What the write-ahead log may take meanwhile."""

# Ids in rising order, as the product makes them: the first digits count, the rest is as good as drawn. $3: the first.
_OLD_ROWS: Final = (
    """
    INSERT INTO outbox (organization_id, message_id, partition, key, type, version, data, sent_at)
    SELECT $1, id, number % 64, id, 'order.paid', 1, '{}', clock_timestamp() - make_interval(days => $4)
    FROM (SELECT number, (lpad(to_hex(number), 12, '0') || substr(md5('o' || number), 1, 20))::uuid AS id
          FROM generate_series($3::bigint + 1, $3 + $2) AS number) AS old
    """,
    """
    INSERT INTO inbox (organization_id, source, id, received_at)
    SELECT $1, 'old', lpad(to_hex(number), 12, '0') || md5('i' || number),
           clock_timestamp() - make_interval(days => $4)
    FROM generate_series($3::bigint + 1, $3 + $2) AS number
    """,
    """
    INSERT INTO idempotency_keys (organization_id, scope, key, fingerprint, status, answer, created_at)
    SELECT $1, 'old', lpad(to_hex(number), 12, '0') || md5('k' || number), '\\x00', 201, '{}',
           clock_timestamp() - make_interval(days => $4)
    FROM generate_series($3::bigint + 1, $3 + $2) AS number
    """,
    """
    INSERT INTO reservations (organization_id, reservation_id, session_id, status, token_hash, items, total_minor,
                              currency, quota_ids, quota_counts, held_at, expires_at, expires_at_max, ended_at)
    SELECT $1, (lpad(to_hex(number), 12, '0') || substr(md5('r' || number), 1, 20))::uuid, $5, 'expired', '\\x00', '[]',
           0, 'EUR', '{}', '{}', at, at, at, at
    FROM generate_series($3::bigint + 1, $3 + $2) AS number,
         (SELECT clock_timestamp() - make_interval(days => $4)) AS t(at)
    """,
    """
    INSERT INTO orders (organization_id, order_id, event_id, session_id, reservation_id, status, secret_hash,
                        total_minor, currency, placed_at, paid_at)
    SELECT $1, id, $6, $5, id, 'paid', '\\x00', 0, 'EUR', at, at
    FROM (SELECT (lpad(to_hex(number), 12, '0') || substr(md5('b' || number), 1, 20))::uuid AS id
          FROM generate_series($3::bigint + 1, $3 + $2) AS number) AS old,
         (SELECT clock_timestamp() - make_interval(days => $4)) AS t(at)
    """,
    """
    INSERT INTO units (organization_id, unit_id, order_id, line_number, number, session_id, ticket_type_id,
                       price_category_id, quota_ids, price_minor, created_at)
    SELECT $1, id, id, 1, 1, $5, $6, $6, '{}', 0, clock_timestamp() - make_interval(days => $4)
    FROM (SELECT (lpad(to_hex(number), 12, '0') || substr(md5('b' || number), 1, 20))::uuid AS id
          FROM generate_series($3::bigint + 1, $3 + $2) AS number) AS old
    """,
    """
    INSERT INTO tickets (organization_id, ticket_id, event_id, session_id, order_id, unit_id, generation, key_id,
                         issued_at)
    SELECT $1, id, $6, $5, id, id, 1, 1, clock_timestamp() - make_interval(days => $4)
    FROM (SELECT (lpad(to_hex(number), 12, '0') || substr(md5('b' || number), 1, 20))::uuid AS id
          FROM generate_series($3::bigint + 1, $3 + $2) AS number) AS old
    """,
    """
    INSERT INTO admissions (organization_id, admission_id, session_id, unit_id, ticket_id, entry_number, direction,
                            scan_id, recorded_at)
    SELECT $1, id, $5, id, id, 1, 'in', id::text, clock_timestamp() - make_interval(days => $4)
    FROM (SELECT (lpad(to_hex(number), 12, '0') || substr(md5('b' || number), 1, 20))::uuid AS id
          FROM generate_series($3::bigint + 1, $3 + $2) AS number) AS old
    """,
)

_SESSIONS: Final = """
    WITH made AS (
        SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[]) AS m(session, kind, category, quota)
    ), sessions_laid AS (
        INSERT INTO sessions (organization_id, session_id, event_id, time_zone, starts_local, starts_at, hold_seconds,
                              per_order_max)
        SELECT s.organization_id, m.session, s.event_id, s.time_zone, s.starts_local, s.starts_at, s.hold_seconds,
               s.per_order_max
        FROM made m, sessions s WHERE s.organization_id = $1 AND s.session_id = $2
    ), categories AS (
        INSERT INTO price_categories SELECT p.organization_id, m.session, m.category, p.key, p.name, p.position, m.quota
        FROM made m, price_categories p WHERE p.organization_id = $1 AND p.session_id = $2
    ), kinds AS (
        INSERT INTO ticket_types (organization_id, session_id, ticket_type_id, name, position)
        SELECT t.organization_id, m.session, m.kind, t.name, t.position
        FROM made m, ticket_types t WHERE t.organization_id = $1 AND t.session_id = $2
    ), priced AS (
        INSERT INTO prices SELECT p.organization_id, m.session, m.kind, m.category, p.price_minor
        FROM made m, prices p WHERE p.organization_id = $1 AND p.session_id = $2
    ), stocked AS (
        INSERT INTO stock (organization_id, session_id) SELECT $1, session FROM made
    ), counted AS (
        INSERT INTO quotas (organization_id, session_id, quota_id, kind, name, capacity)
        SELECT q.organization_id, m.session, m.quota, q.kind, q.name, q.capacity
        FROM made m, quotas q WHERE q.organization_id = $1 AND q.session_id = $2 AND q.kind = 'category'
    )
    INSERT INTO directory (id, organization_id, kind) SELECT session, $1, 'session' FROM made
    """


async def lay_old_rows(url: str, folder: Path, on_sale: OnSale, rows: int, *, days: int = 1) -> None:
    """Lay so many rows, so many days old, into each table that grows with what is sold.

    Of one organization, and of a session and an event that sell no more. Raises ``OperatorError`` where the disk has
    no room for them.
    """
    needed_bytes = rows * _BYTES_A_ROW + min(_LOG_BYTES, 2 * rows * _BYTES_A_ROW)
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise OperatorError(
            f"{rows:,} rows in each table take {needed_bytes / 1e9:.0f} GB on the disk; {free_bytes / 1e9:.0f} are free"
        )
    waiting = iter(_OLD_ROWS)

    async def work() -> None:
        async with as_owner(url) as conn:
            await conn.execute("SET statement_timeout = 0; SET synchronous_commit = off")
            for statement in waiting:
                more = [days, on_sale.session_id, on_sale.event_id]
                needed = max(number for number in range(3, 7) if f"${number}" in statement)
                for laid in range(0, rows, _ROWS_AT_ONCE):
                    count = min(_ROWS_AT_ONCE, rows - laid)
                    await conn.execute(statement, on_sale.organization_id, count, laid, *more[: needed - 3])

    # Many checkpoints in the middle would write every page several times.
    async with as_owner(url) as conn:
        await conn.execute("ALTER SYSTEM SET max_wal_size = '8GB'")
        await conn.execute("SELECT pg_reload_conf()")
    await asyncio.gather(*(work() for _ in range(_WRITERS)))
    # As tables are after years. Else what vacuums by itself would do so while others are measured.
    async with as_owner(url) as conn:
        await conn.execute("SET statement_timeout = 0")
        await conn.execute("VACUUM (ANALYZE)")


async def lay_sessions(url: str, like: OnSale, count: int) -> list[OnSale]:
    """Lay so many sessions of the same event on sale that are like one with general admission."""
    ids = [[system.make_id() for _ in range(count)] for _ in range(4)]
    async with as_owner(url) as conn:
        await conn.execute("SET statement_timeout = 0")
        await conn.execute(_SESSIONS, like.organization_id, like.session_id, *ids)
        await conn.execute("ANALYZE")
    return [
        OnSale(like.organization_id, like.event_id, session_id, type_id)
        for session_id, type_id in zip(ids[0], ids[1], strict=True)
    ]
