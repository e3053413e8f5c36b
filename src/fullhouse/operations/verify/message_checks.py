"""Messages: what was committed is sent and reacted to; what was refused for good waits for somebody."""

from collections.abc import Sequence

from fullhouse.operations.verify.check import Check
from fullhouse.workers.subscriptions import TABLE

_EXACT = [line for line in TABLE if line.outside is None and not line.is_repeatable]


def _reactions() -> Sequence[object]:
    """Return the queues, and the types, of reactions that leave an inbox row, pair by pair."""
    pairs = sorted((line.queue, name) for line in _EXACT for name in line.types)
    return [queue for queue, _ in pairs], [name for _, name in pairs]


MESSAGE_CHECKS = (
    Check(
        9,
        "key_has_one_answer",
        "An idempotency key of a scope has one kept answer.",
        """
        SELECT organization_id, scope, key, count(*) AS answers FROM (
            SELECT organization_id, scope, key FROM idempotency_keys
            UNION ALL
            SELECT organization_id, 'reservations:' || session_id, idempotency_key FROM reservations
            WHERE idempotency_key IS NOT NULL
        ) kept
        GROUP BY organization_id, scope, key HAVING count(*) > 1
        """,
    ),
    Check(
        10,
        "message_is_sent",
        "A minute after its commit a message is sent; none is parked.",
        """
        SELECT organization_id, message_id, type, key, occurred_at, attempts, last_error, parked_at FROM outbox
        WHERE sent_at IS NULL
          AND (parked_at IS NOT NULL OR retry_at = 'infinity'
               OR occurred_at < clock_timestamp() - make_interval(secs => 60 * $1::float8))
        """,
        graced=True,
    ),
    Check(
        10,
        "message_is_reacted_to",
        "A message that was sent was reacted to by every queue that wants it, or waits there, or is a dead letter.",
        """
        SELECT o.organization_id, o.message_id, o.type, o.key, o.sent_at, w.queue
        FROM outbox o JOIN unnest($2::text[], $3::text[]) AS w(queue, type) USING (type)
        WHERE o.sent_at < clock_timestamp() - make_interval(secs => 60 * $1::float8)
          AND NOT EXISTS (SELECT FROM inbox i WHERE i.organization_id = o.organization_id AND i.source = w.queue
                          AND i.id = o.message_id::text)
          AND NOT EXISTS (SELECT FROM broker_messages m WHERE m.organization_id = o.organization_id
                          AND m.queue = w.queue AND m.message_id = o.message_id)
          AND NOT EXISTS (SELECT FROM dead_letters d WHERE d.organization_id = o.organization_id
                          AND d.queue = w.queue AND d.message_id = o.message_id)
          -- What is bought together has its tickets and receipts in the transaction that announces it.
          AND NOT (w.queue = 'tickets.issue' AND EXISTS (
              SELECT FROM tickets t WHERE t.organization_id = o.organization_id AND t.order_id = o.key))
          AND NOT (w.queue = 'receipts.issue' AND o.type = 'order.paid' AND EXISTS (
              SELECT FROM receipts r WHERE r.organization_id = o.organization_id AND r.order_id = o.key))
          -- A queue outside the database is known to lack the message only if it was found empty long after.
          AND (NOT EXISTS (SELECT FROM queue_depths q WHERE q.queue = w.queue)
               OR (SELECT max(q.waiting_count) = 0 FROM queue_depths q
                   WHERE q.queue = w.queue AND q.measured_at > o.sent_at + make_interval(secs => 600 * $1::float8)))
        """,
        graced=True,
        more=_reactions,
    ),
    Check(
        10,
        "queue_is_worked_off",
        "No message waits in a queue for ten minutes, as far as its broker tells.",
        """
        SELECT organization_id, queue, message_id, key, enqueued_at, attempts FROM broker_messages
        WHERE enqueued_at < clock_timestamp() - make_interval(secs => 600 * $1::float8)
        UNION ALL
        SELECT NULL, queue, NULL, NULL, measured_at - make_interval(secs => oldest_seconds), NULL FROM queue_depths
        WHERE waiting_count > 0 AND oldest_seconds > 600 * $1::float8
          AND measured_at > clock_timestamp() - interval '1 minute'
        """,
        graced=True,
    ),
    Check(
        10,
        "no_dead_letter_waits",
        "No dead letter waits to be replayed or discarded.",
        """
        SELECT organization_id, dead_letter_id, queue, message_id, reason, failed_at FROM dead_letters
        WHERE resolved_at IS NULL
        """,
    ),
    Check(
        6,
        "webhook_is_tried_in_time",
        "No webhook waits ten minutes beyond the time of its next attempt while its receiver is sent nothing else.",
        """
        SELECT d.organization_id, d.endpoint_id, d.delivery_id, d.message_id, d.type, d.attempts, d.due_at, e.status
        FROM webhook_deliveries d JOIN webhook_endpoints e USING (organization_id, endpoint_id)
        WHERE d.status = 'pending'
          AND (e.status = 'disabled'
               OR d.due_at < clock_timestamp() - make_interval(secs => 600 * $1::float8)
                  AND NOT EXISTS (
                      SELECT FROM webhook_deliveries o JOIN webhook_attempts a USING (organization_id, delivery_id)
                      WHERE o.organization_id = d.organization_id AND o.endpoint_id = d.endpoint_id
                        AND a.attempted_at > clock_timestamp() - make_interval(secs => 600 * $1::float8)
                  ))
        """,
        graced=True,
    ),
    Check(
        17,
        "notice_is_applied",
        "Ten minutes after a provider's notice was stored, it is applied.",
        """
        SELECT organization_id, notice_id, provider, provider_notice_id, payment_id, received_at FROM payment_notices
        WHERE applied_at IS NULL AND payment_id IS NOT NULL
          AND received_at < clock_timestamp() - make_interval(secs => 600 * $1::float8)
        """,
        graced=True,
    ),
)
