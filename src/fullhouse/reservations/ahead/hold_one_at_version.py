"""The fast way for one buyer alone: what ``hold_at_version`` writes for a batch, without arrays of one.

A lone buyer waits for each part of the statement; theirs has only the parts that one hold needs.
"""

from uuid import UUID

from fullhouse.infra import outbox
from fullhouse.infra.idempotency import Claim
from fullhouse.infra.postgres import Connection
from fullhouse.reservations.ahead.hold_at_version import HoldBatch, Written
from fullhouse.reservations.ahead.hold_rows import shape_texts, strings_text
from fullhouse.reservations.decide import Granted
from fullhouse.reservations.rules import HOLD_SECONDS_TOTAL_MAX


async def hold_one_at_version(
    conn: Connection, message_id: UUID, batch: HoldBatch, granted: Granted, claim: Claim | None
) -> Written | None:
    """Write one granted request without seats, as ``hold_at_version`` would; its rules are the same."""
    terms = batch.terms
    request, places = granted
    shape = shape_texts(places)
    row = await conn.fetchrow(
        """
        WITH stepped AS (
            UPDATE stock s SET version = s.version + 1, ever_held = true
            FROM stock seen
            WHERE s.organization_id = $1 AND s.session_id = $2 AND s.terms_changes = $3
              AND seen.organization_id = $1 AND seen.session_id = $2 AND seen.refusals = s.refusals
              AND (seen.refusals = 0 OR NOT EXISTS (
                  SELECT FROM idempotency_keys WHERE organization_id = $1 AND scope = $16 AND key = $17))
              AND ($4::timestamptz IS NULL OR clock_timestamp() >= $4) AND clock_timestamp() < $5
            RETURNING s.version, clock_timestamp() AS now
        ), counted AS (
            UPDATE quotas q SET held = q.held + d.held
            FROM unnest($6::text::uuid[], $7::text::integer[]) AS d(quota_id, held), stepped
            WHERE q.organization_id = $1 AND q.session_id = $2 AND q.quota_id = d.quota_id
            RETURNING q.quota_id, q.capacity, q.held, q.sold, q.blocked
        ), noted AS (
            INSERT INTO stock_changes (organization_id, session_id, version, quota_ids, quota_counters)
            SELECT $1, $2, stepped.version, $8::text::uuid[],
                   (SELECT array_agg(number ORDER BY quota_id, ordinal) FROM counted,
                       unnest(ARRAY[capacity, held, sold, blocked]) WITH ORDINALITY AS n(number, ordinal))
            FROM stepped
        ), reserved AS (
            INSERT INTO reservations (organization_id, reservation_id, session_id, token_hash, items, total_minor,
                                      currency, quota_ids, quota_counts, held_at, expires_at, expires_at_max,
                                      idempotency_key, fingerprint, first_expires_at)
            SELECT $1, $9, $2, $10, $11::text::jsonb, $12, $13, $6::text::uuid[], $7::text::integer[], now,
                   now + make_interval(secs => $14), now + make_interval(secs => $15), $17, $18,
                   now + make_interval(secs => $14)
            FROM stepped
        ), told AS (
            INSERT INTO outbox (organization_id, message_id, partition, key, type, version, data, request_id,
                                traceparent)
            SELECT $1, $19, $20, $2, 'reservation.held', 1, jsonb_build_object(
                'session_id', $2::uuid, 'stock_version', stepped.version,
                'reservation_ids', jsonb_build_array($9::uuid)), $21, $22
            FROM stepped
        )
        SELECT version, now FROM stepped
        """,
        terms.organization_id,
        terms.session_id,
        batch.terms_changes,
        terms.sales_from,
        terms.sales_until or terms.starts_at,
        shape.quota_ids,
        shape.quota_counts,
        strings_text([quota_id.hex for quota_id in sorted(places.draw.quota_counts)]),
        request.reservation_id,
        request.token_hash,
        shape.items,
        places.total_minor,
        terms.currency,
        float(terms.hold_seconds),
        float(HOLD_SECONDS_TOTAL_MAX),
        batch.scope,
        claim.key if claim else None,
        claim.fingerprint if claim else None,
        message_id,
        terms.session_id.int % outbox.PARTITIONS,
        outbox.request_id.get(),
        outbox.traceparent(),
    )
    return None if row is None else Written(row["version"], row["now"])
