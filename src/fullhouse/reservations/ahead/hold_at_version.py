"""The fast way to hold: one guarded statement, in which the desk writes what it decided on its copy of the stock.

Its first part moves the version on; where it is not let through no row comes back, nothing is written, and the desk
takes the way with the lock.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fullhouse.events.rules import SessionTerms
from fullhouse.infra import outbox
from fullhouse.infra.postgres import Connection
from fullhouse.reservations.ahead.hold_rows import Rows, array_text, shape_texts, strings_text
from fullhouse.reservations.rules import HOLD_SECONDS_TOTAL_MAX


class Written(NamedTuple):
    """What the statement answered: the new version, and the instant from which the holds count."""

    version: int
    now: datetime


class HoldBatch(NamedTuple):
    """By what granted requests of one session were decided, and where their idempotency keys are unique."""

    terms: SessionTerms
    version: int
    terms_changes: int
    scope: str


async def hold_at_version(conn: Connection, message_id: UUID, batch: HoldBatch, rows: Rows) -> Written | None:
    """Write a batch if the session is on sale, by the terms that were known; else None, and nothing is written.

    Where seats were chosen the stock must have its version too. Counters may have moved on meanwhile: what is added to
    them, not what they become, was decided, and more than there is breaks ``quotas_not_oversold``. An idempotency key
    that another reservation has breaks ``reservations_keyed``, one that was refused lets nothing through, and a seat
    that memory took for free breaks ``stock_changes_complete``: nothing is written then either.
    """
    terms = batch.terms
    drawn, seated = rows.drawn(), sorted(rows.seated)
    shapes = [shape_texts(shape.places) for shape in rows.shapes]
    arguments = (
        terms.organization_id,
        terms.session_id,
        batch.version if seated else None,
        terms.sales_from,
        terms.sales_until or terms.starts_at,
        [seat for seat, _ in seated],
        batch.terms_changes,
        strings_text([quota_id.hex for quota_id, _ in drawn]),
        array_text([count for _, count in drawn]),
        terms.currency,
        float(terms.hold_seconds),
        float(HOLD_SECONDS_TOTAL_MAX),
        [shape.items for shape in shapes],
        array_text([shape.places.total_minor for shape in rows.shapes]),
        [shape.quota_ids for shape in shapes],
        [shape.quota_counts for shape in shapes],
        [shape.seats for shape in shapes],
        rows.ids,
        rows.token_hashes,
        rows.shape_of,
        rows.keys,
        batch.scope,
        strings_text([shape.fingerprint for shape in rows.shapes]),
        message_id,
        terms.session_id.int % outbox.PARTITIONS,
        outbox.request_id.get(),
        outbox.traceparent(),
    )
    if seated:
        row = await conn.fetchrow(_HOLD_SEATS, *arguments, [owner for _, owner in seated])
    else:
        row = await conn.fetchrow(_HOLD, *arguments)
    return None if row is None else Written(row["version"], row["now"])


_HOLD_SEATS = """
WITH stepped AS (
    -- After a wait for the lock, s is the latest row and seen the one that the look at the refusals saw.
    UPDATE stock s SET version = s.version + 1, ever_held = true
    FROM stock seen
    WHERE s.organization_id = $1 AND s.session_id = $2 AND s.terms_changes = $7
      AND ($3::bigint IS NULL OR s.version = $3)
      AND seen.organization_id = $1 AND seen.session_id = $2 AND seen.refusals = s.refusals
      AND (seen.refusals = 0 OR NOT EXISTS (
          SELECT FROM unnest($21::text[]) AS asked(key)
          JOIN idempotency_keys k ON k.organization_id = $1 AND k.scope = $22 AND k.key = asked.key))
      AND ($4::timestamptz IS NULL OR clock_timestamp() >= $4) AND clock_timestamp() < $5
    RETURNING s.version, clock_timestamp() AS now
), instant AS MATERIALIZED (
    SELECT version, now, now + make_interval(secs => $11) AS expires_at,
           now + make_interval(secs => $12) AS expires_at_max
    FROM stepped
), moved AS (
    UPDATE seats s SET state = 1, reservation_id = m.reservation_id
    FROM unnest($6::integer[], $28::uuid[]) AS m(seat_index, reservation_id), stepped
    -- The array keeps the plan on these seats of the primary key, whatever the planner believes of the table.
    WHERE s.organization_id = $1 AND s.session_id = $2 AND s.seat_index = ANY ($6::integer[])
      AND s.seat_index = m.seat_index AND s.state = 0
    RETURNING s.seat_index
), states AS (
    SELECT coalesce(array_agg(1::smallint), '{}') AS states FROM moved
), counted AS (
    UPDATE quotas q SET held = q.held + d.held
    FROM unnest($8::text::uuid[], $9::text::integer[]) AS d(quota_id, held), stepped
    WHERE q.organization_id = $1 AND q.session_id = $2 AND q.quota_id = d.quota_id
    RETURNING q.quota_id, q.capacity, q.held, q.sold, q.blocked
), noted AS (
    INSERT INTO stock_changes (organization_id, session_id, version, seats, seat_states, quota_ids,
                               quota_counters)
    SELECT $1, $2, stepped.version, $6::integer[], states.states, $8::text::uuid[],
           (SELECT array_agg(number ORDER BY quota_id, ordinal) FROM counted,
               unnest(ARRAY[capacity, held, sold, blocked]) WITH ORDINALITY AS n(number, ordinal))
    FROM stepped, states
), shapes AS MATERIALIZED (
    -- What is held alike is written once and read for each reservation.
    SELECT s.number, s.items::jsonb AS items, s.total_minor, s.quota_ids::uuid[] AS quota_ids,
           s.quota_counts::integer[] AS quota_counts, s.seats::integer[] AS seats,
           decode(s.fingerprint, 'hex') AS fingerprint
    FROM unnest($13::text[], $14::text::bigint[], $15::text[], $16::text[], $17::text[], $23::text::text[])
        WITH ORDINALITY AS s(items, total_minor, quota_ids, quota_counts, seats, fingerprint, number)
), reserved AS (
    INSERT INTO reservations (organization_id, reservation_id, session_id, token_hash, items, total_minor,
                              currency, quota_ids, quota_counts, seats, held_at, expires_at, expires_at_max,
                              idempotency_key, fingerprint, first_expires_at)
    SELECT $1, r.reservation_id, $2, r.token_hash, s.items, s.total_minor, $10, s.quota_ids,
           s.quota_counts, s.seats, instant.now, instant.expires_at, instant.expires_at_max,
           r.key, s.fingerprint, instant.expires_at
    FROM instant, unnest($18::uuid[], $19::bytea[], $20::bigint[], $21::text[])
        AS r(reservation_id, token_hash, shape, key) JOIN shapes s ON s.number = r.shape
), told AS (
    INSERT INTO outbox (organization_id, message_id, partition, key, type, version, data, request_id,
                        traceparent)
    SELECT $1, $24, $25, $2, 'reservation.held', 1, jsonb_build_object(
        'session_id', $2::uuid, 'stock_version', stepped.version,
        'reservation_ids', to_jsonb($18::uuid[])), $26, $27
    FROM stepped
)
SELECT version, now FROM stepped
"""
# Without seats there is nothing to move: the table is not even opened.
_BEFORE_SEATS, _, _FROM_SEATS = _HOLD_SEATS.partition("), moved AS (")
_, _, _AFTER_SEATS = _FROM_SEATS.partition("), counted AS (")
_HOLD = _BEFORE_SEATS + "), states AS (SELECT '{}'::smallint[] AS states), counted AS (" + _AFTER_SEATS
