"""The fast way to hold: one statement, without waiting for the lock, that only the expected version lets through.

The desk decides on its copy of the stock and writes everything in one statement. Its first part moves the version on;
where another process was faster no row comes back, nothing is written, and the desk takes the way with the lock.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from fullhouse.events.rules import SessionTerms
from fullhouse.infra import outbox
from fullhouse.infra.idempotency import Claim
from fullhouse.infra.postgres import Connection
from fullhouse.reservations.decide import Granted
from fullhouse.reservations.rules import HOLD_SECONDS_TOTAL_MAX, HeldItem, draw_of


@dataclass(frozen=True, slots=True)
class Written:
    """What the statement answered: the new version, and the instant from which the holds count."""

    version: int
    now: datetime


@dataclass(frozen=True, slots=True)
class HoldBatch:
    """Granted requests of one session, with the idempotency keys of those that have one."""

    terms: SessionTerms
    version: int
    scope: str
    granted: Sequence[Granted]
    claims: Sequence[Claim | None]


async def hold_at_version(conn: Connection, message_id: UUID, batch: HoldBatch) -> Written | None:
    """Write a batch if the stock still has its version and the session is on sale; else None, and nothing is written.

    An idempotency key that was used before breaks its primary key, and a seat that memory took for free breaks
    ``stock_changes_complete``: nothing is written then either.
    """
    terms, granted = batch.terms, batch.granted
    ids = [one.request.reservation_id for one in granted]
    seated = [(seat, one.request.reservation_id) for one in granted for seat in one.draw.seats]
    seated.sort()
    counts = sorted(draw_of([item for one in granted for item in one.items]).quota_counts.items())
    keyed = [(claim, one.request.reservation_id) for claim, one in zip(batch.claims, granted, strict=True) if claim]
    row = await conn.fetchrow(
        """
        WITH stepped AS (
            UPDATE stock SET version = version + 1, ever_held = true
            WHERE organization_id = $1 AND session_id = $2 AND version = $3
              AND ($4::timestamptz IS NULL OR clock_timestamp() >= $4) AND clock_timestamp() < $5
            RETURNING version, clock_timestamp() AS now
        ), moved AS (
            UPDATE seats s SET state = 1, reservation_id = m.reservation_id
            FROM unnest($6::integer[], $7::uuid[]) AS m(seat_index, reservation_id), stepped
            -- The array keeps the plan on these seats of the primary key, whatever the planner believes of the table.
            WHERE s.organization_id = $1 AND s.session_id = $2 AND s.seat_index = ANY ($6::integer[])
              AND s.seat_index = m.seat_index AND s.state = 0
            RETURNING s.seat_index
        ), counted AS (
            UPDATE quotas q SET held = q.held + d.held
            FROM unnest($8::uuid[], $9::integer[]) AS d(quota_id, held), stepped
            WHERE q.organization_id = $1 AND q.session_id = $2 AND q.quota_id = d.quota_id
            RETURNING q.quota_id, q.capacity, q.held, q.sold, q.blocked
        ), noted AS (
            INSERT INTO stock_changes (organization_id, session_id, version, seats, seat_states, quota_ids,
                                       quota_counters)
            SELECT $1, $2, stepped.version, $6, coalesce((SELECT array_agg(1::smallint) FROM moved), '{}'), $8,
                   (SELECT array_agg(number ORDER BY quota_id, ordinal) FROM counted,
                       unnest(ARRAY[capacity, held, sold, blocked]) WITH ORDINALITY AS n(number, ordinal))
            FROM stepped
        ), reserved AS (
            INSERT INTO reservations (organization_id, reservation_id, session_id, token_hash, items, total_minor,
                                      currency, quota_ids, quota_counts, seats, held_at, expires_at, expires_at_max)
            SELECT $1, r.reservation_id, $2, r.token_hash, r.items::jsonb, r.total_minor, $10, r.quota_ids::uuid[],
                   r.quota_counts::integer[], r.seats::integer[], stepped.now,
                   stepped.now + make_interval(secs => $11), stepped.now + make_interval(secs => $12)
            FROM stepped, unnest($13::uuid[], $14::bytea[], $15::text[], $16::bigint[], $17::text[], $18::text[],
                                 $19::text[])
                AS r(reservation_id, token_hash, items, total_minor, quota_ids, quota_counts, seats)
        ), kept AS (
            INSERT INTO idempotency_keys (organization_id, scope, key, fingerprint, status, answer)
            SELECT $1, $20, k.key, k.fingerprint, 201, jsonb_build_object(
                'reservation_id', k.reservation_id, 'expires_at', stepped.now + make_interval(secs => $11))
            FROM stepped, unnest($21::text[], $22::bytea[], $23::uuid[]) AS k(key, fingerprint, reservation_id)
        ), told AS (
            INSERT INTO outbox (organization_id, message_id, partition, key, type, version, data, request_id)
            SELECT $1, $24, $25, $2, 'reservation.held', 1, jsonb_build_object(
                'session_id', $2::uuid, 'stock_version', stepped.version, 'reservation_ids', to_jsonb($13::uuid[])), $26
            FROM stepped
        )
        SELECT version, now FROM stepped
        """,
        terms.organization_id,
        terms.session_id,
        batch.version,
        terms.sales_from,
        terms.sales_until or terms.starts_at,
        [seat for seat, _ in seated],
        [reservation_id for _, reservation_id in seated],
        [quota_id for quota_id, _ in counts],
        [count for _, count in counts],
        terms.currency,
        float(terms.hold_seconds),
        float(HOLD_SECONDS_TOTAL_MAX),
        ids,
        [one.request.token_hash for one in granted],
        [_items_text(one.items) for one in granted],
        [one.total_minor for one in granted],
        [_array_text(one.draw.quota_counts) for one in granted],
        [_array_text(one.draw.quota_counts.values()) for one in granted],
        [_array_text(one.draw.seats) for one in granted],
        batch.scope,
        [claim.key for claim, _ in keyed],
        [claim.fingerprint for claim, _ in keyed],
        [reservation_id for _, reservation_id in keyed],
        message_id,
        terms.session_id.int % outbox.PARTITIONS,
        outbox.request_id.get(),
    )
    return None if row is None else Written(row["version"], row["now"])


def _array_text(values: Iterable[object]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _items_text(items: Sequence[HeldItem]) -> str:
    return "[" + ",".join([_item_text(item) if not item.seats else _encode(item) for item in items]) + "]"


@lru_cache(maxsize=4096)
def _item_text(item: HeldItem) -> str:
    return _encode(item)


def _encode(item: HeldItem) -> str:
    return _encoder.encode(item.to_json())


_encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
