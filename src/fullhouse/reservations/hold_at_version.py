"""The fast way to hold: one statement, without waiting for the lock, that only the expected version lets through.

The desk decides on its copy of the stock and writes everything in one statement. Its first part moves the version on;
where another process was faster no row comes back, nothing is written, and the desk takes the way with the lock.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fullhouse.events.rules import SessionTerms
from fullhouse.infra import outbox
from fullhouse.infra.idempotency import Claim
from fullhouse.infra.postgres import Connection
from fullhouse.reservations.decide import Granted
from fullhouse.reservations.rules import HOLD_SECONDS_TOTAL_MAX, HeldItem


class Written(NamedTuple):
    """What the statement answered: the new version, and the instant from which the holds count."""

    version: int
    now: datetime


class HoldBatch(NamedTuple):
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
    # Arrays travel as their text: the driver would look at the type of every element in Python.
    seated = sorted((seat, one.request.reservation_id) for one in granted for seat in one.places.draw.seats)
    counts = sorted(_counts(granted).items())
    shapes = {id(one.places): one.places for one in granted}
    numbers = {key: number for number, key in enumerate(shapes, 1)}
    row = await conn.fetchrow(
        """
        WITH stepped AS (
            UPDATE stock SET version = version + 1, ever_held = true
            WHERE organization_id = $1 AND session_id = $2 AND version = $3
              AND ($4::timestamptz IS NULL OR clock_timestamp() >= $4) AND clock_timestamp() < $5
            RETURNING version, clock_timestamp() AS now
        ), instant AS MATERIALIZED (
            SELECT version, now, now + make_interval(secs => $11) AS expires_at,
                   now + make_interval(secs => $12) AS expires_at_max,
                   to_jsonb(now + make_interval(secs => $11)) AS expires_at_json
            FROM stepped
        ), moved AS (
            UPDATE seats s SET state = 1, reservation_id = m.reservation_id
            FROM unnest($6::text::integer[], $7::text::uuid[]) AS m(seat_index, reservation_id), stepped
            -- The array keeps the plan on these seats of the primary key, whatever the planner believes of the table.
            WHERE s.organization_id = $1 AND s.session_id = $2 AND s.seat_index = ANY ($6::text::integer[])
              AND s.seat_index = m.seat_index AND s.state = 0
            RETURNING s.seat_index
        ), counted AS (
            UPDATE quotas q SET held = q.held + d.held
            FROM unnest($8::text::uuid[], $9::text::integer[]) AS d(quota_id, held), stepped
            WHERE q.organization_id = $1 AND q.session_id = $2 AND q.quota_id = d.quota_id
            RETURNING q.quota_id, q.capacity, q.held, q.sold, q.blocked
        ), noted AS (
            INSERT INTO stock_changes (organization_id, session_id, version, seats, seat_states, quota_ids,
                                       quota_counters)
            SELECT $1, $2, stepped.version, $6::text::integer[],
                   coalesce((SELECT array_agg(1::smallint) FROM moved), '{}'), $8::text::uuid[],
                   (SELECT array_agg(number ORDER BY quota_id, ordinal) FROM counted,
                       unnest(ARRAY[capacity, held, sold, blocked]) WITH ORDINALITY AS n(number, ordinal))
            FROM stepped
        ), shapes AS MATERIALIZED (
            -- What is held alike is written once and read for each reservation.
            SELECT s.number, s.items::jsonb AS items, s.total_minor, s.quota_ids::uuid[] AS quota_ids,
                   s.quota_counts::integer[] AS quota_counts, s.seats::integer[] AS seats
            FROM unnest($13::text[], $14::text::bigint[], $15::text[], $16::text[], $17::text[])
                WITH ORDINALITY AS s(items, total_minor, quota_ids, quota_counts, seats, number)
        ), reserved AS (
            INSERT INTO reservations (organization_id, reservation_id, session_id, token_hash, items, total_minor,
                                      currency, quota_ids, quota_counts, seats, held_at, expires_at, expires_at_max)
            SELECT $1, r.reservation_id, $2, decode(r.token_hash, 'hex'), s.items, s.total_minor, $10, s.quota_ids,
                   s.quota_counts, s.seats, instant.now, instant.expires_at, instant.expires_at_max
            FROM instant, unnest($18::text::uuid[], $19::text::text[], $20::text::bigint[])
                AS r(reservation_id, token_hash, shape) JOIN shapes s ON s.number = r.shape
        ), kept AS (
            INSERT INTO idempotency_keys (organization_id, scope, key, fingerprint, status, answer)
            SELECT $1, $21, k.key, decode(k.fingerprint, 'hex'), 201, jsonb_build_object(
                'reservation_id', k.reservation_id, 'expires_at', instant.expires_at_json)
            FROM instant, unnest($22::text::text[], $23::text::text[], $24::text::uuid[])
                AS k(key, fingerprint, reservation_id)
        ), told AS (
            INSERT INTO outbox (organization_id, message_id, partition, key, type, version, data, request_id,
                                traceparent)
            SELECT $1, $25, $26, $2, 'reservation.held', 1, jsonb_build_object(
                'session_id', $2::uuid, 'stock_version', stepped.version,
                'reservation_ids', to_jsonb($18::text::uuid[])), $27, $28
            FROM stepped
        )
        SELECT version, now FROM stepped
        """,
        terms.organization_id,
        terms.session_id,
        batch.version,
        terms.sales_from,
        terms.sales_until or terms.starts_at,
        array_text([seat for seat, _ in seated]),
        array_text([owner.hex for _, owner in seated]),
        array_text([quota_id.hex for quota_id, _ in counts]),
        array_text([count for _, count in counts]),
        terms.currency,
        float(terms.hold_seconds),
        float(HOLD_SECONDS_TOTAL_MAX),
        [items_text(places.items) for places in shapes.values()],
        array_text([places.total_minor for places in shapes.values()]),
        [array_text(places.draw.quota_counts) for places in shapes.values()],
        [array_text(places.draw.quota_counts.values()) for places in shapes.values()],
        [array_text(places.draw.seats) for places in shapes.values()],
        array_text([one.request.reservation_id.hex for one in granted]),
        array_text([one.request.token_hash.hex() or '""' for one in granted]),
        array_text([numbers[id(one.places)] for one in granted]),
        batch.scope,
        *_keyed(batch),
        message_id,
        terms.session_id.int % outbox.PARTITIONS,
        outbox.request_id.get(),
        outbox.traceparent(),
    )
    return None if row is None else Written(row["version"], row["now"])


def _counts(granted: Sequence[Granted]) -> dict[UUID, int]:
    """Add up what is drawn; alike places are counted first, since an on-sale has few of them."""
    alike = Counter([id(one.places) for one in granted])
    counts: dict[UUID, int] = {}
    for places in {id(one.places): one.places for one in granted}.values():
        for quota_id, count in places.draw.quota_counts.items():
            counts[quota_id] = counts.get(quota_id, 0) + count * alike[id(places)]
    return counts


def _keyed(batch: HoldBatch) -> tuple[str, str, str]:
    """Write the keys of those that have one, the fingerprints of their requests, and what they became."""
    keyed = [
        (claim, one.request.reservation_id)
        for claim, one in zip(batch.claims, batch.granted, strict=True)
        if claim is not None
    ]
    return (
        array_text([_quoted(claim.key) for claim, _ in keyed]),
        array_text([claim.fingerprint.hex() or '""' for claim, _ in keyed]),
        array_text([reservation_id.hex for _, reservation_id in keyed]),
    )


def array_text(values: Iterable[object]) -> str:
    """Write an array of Postgres whose elements need no quotes, or have them."""
    return "{" + ",".join(map(str, values)) + "}"


def _quoted(text: str) -> str:
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def items_text(items: Sequence[HeldItem]) -> str:
    """Write held items as the text of their JSON."""
    return _encoder.encode([item.to_json() for item in items])


_encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
