"""Refunds that their provider did not do: each is somebody's case, or ended in the ledger as it did with the buyer."""

from fullhouse.operations.verify.check import Check

REFUND_CHECKS = (
    Check(
        3,
        "failed_refund_is_a_case",
        "A refund that has failed, and is owed, is an open case.",
        """
        SELECT organization_id, refund_id, r.order_id, r.payment_id, r.amount_minor, r.currency, r.last_error
        FROM refunds r WHERE r.status = 'failed' AND NOT EXISTS (
            SELECT FROM money_cases c WHERE c.organization_id = r.organization_id AND c.kind = 'refund_failed'
              AND c.subject = r.refund_id::text AND c.closed_at IS NULL)
        """,
    ),
    Check(
        7,
        "ledger_has_how_refunds_ended",
        "What was paid back otherwise, or forfeited, is in the ledger so, and nothing else is.",
        """
        WITH entered AS (
            SELECT organization_id, refund_id,
                   coalesce(-sum(amount_minor) FILTER (WHERE account = 'paid_otherwise'), 0)::bigint AS otherwise,
                   coalesce(-sum(amount_minor) FILTER (WHERE account = 'forfeited'), 0)::bigint AS forfeited
            FROM ledger_entries WHERE account IN ('paid_otherwise', 'forfeited') GROUP BY organization_id, refund_id
        )
        SELECT organization_id, refund_id, r.order_id, r.status, r.amount_minor, r.otherwise_reference,
               coalesce(e.otherwise, 0) AS ledger_otherwise, coalesce(e.forfeited, 0) AS ledger_forfeited
        FROM refunds r FULL JOIN entered e USING (organization_id, refund_id)
        WHERE coalesce(e.otherwise, 0) <> CASE WHEN r.otherwise_reference IS NULL THEN 0 ELSE r.amount_minor END
           OR coalesce(e.forfeited, 0) <> CASE WHEN r.status = 'forfeited' THEN r.amount_minor ELSE 0 END
        """,
    ),
)
