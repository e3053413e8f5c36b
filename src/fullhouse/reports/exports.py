"""What each CSV file holds: its statement, whose columns are those of the file, in that order.

Each statement takes organization, event, session, since and until. A column that ends in ``_minor`` is followed in the
file by the same amount with the currency's decimals. ``email`` and ``name`` are left empty for who may not read orders.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

from fullhouse.reports.rules import ExportKind

PERSONAL = frozenset({"email", "name"})


@dataclass(frozen=True, slots=True)
class Export:
    """A file: the columns of its statement, and the statement."""

    columns: tuple[str, ...]
    query: LiteralString


_ORDERS = Export(
    tuple(
        "order_id status event_id event session_id session session_starts_at tickets currency total_minor "
        "refunds_minor placed_at paid_at ended_at email name".split()
    ),
    """
    SELECT o.order_id, o.status, o.event_id, e.name AS event, o.session_id, s.name AS session,
           s.starts_at AS session_starts_at,
           (SELECT coalesce(sum(l.quantity), 0) FROM order_lines l
            WHERE l.organization_id = $1 AND l.order_id = o.order_id AND l.kind = 'ticket')::bigint AS tickets,
           o.currency, o.total_minor,
           (SELECT coalesce(sum(r.amount_minor), 0) FROM refunds r
            WHERE r.organization_id = $1 AND r.order_id = o.order_id
              AND r.status NOT IN ('failed', 'forfeited'))::bigint AS refunds_minor,
           o.placed_at, o.paid_at, o.ended_at, c.email, c.name
    FROM orders o
    JOIN events e ON e.organization_id = $1 AND e.event_id = o.event_id
    JOIN sessions s ON s.organization_id = $1 AND s.session_id = o.session_id
    LEFT JOIN order_contacts c ON c.organization_id = $1 AND c.order_id = o.order_id
    WHERE o.organization_id = $1 AND ($2::uuid IS NULL OR o.event_id = $2) AND ($3::uuid IS NULL OR o.session_id = $3)
      AND ($4::timestamptz IS NULL OR o.placed_at >= $4) AND ($5::timestamptz IS NULL OR o.placed_at < $5)
    ORDER BY o.order_id
    """,
)

_PAYMENTS = Export(
    tuple(
        "payment_id order_id event_id session_id attempt provider status currency amount_minor captured_minor reason "
        "provider_reference started_at ended_at".split()
    ),
    """
    SELECT p.payment_id, p.order_id, o.event_id, o.session_id, p.attempt, p.provider, p.status, p.currency,
           p.amount_minor, p.captured_minor, p.reason, p.provider_reference, p.started_at, p.ended_at
    FROM payments p JOIN orders o ON o.organization_id = $1 AND o.order_id = p.order_id
    WHERE p.organization_id = $1 AND ($2::uuid IS NULL OR o.event_id = $2) AND ($3::uuid IS NULL OR o.session_id = $3)
      AND ($4::timestamptz IS NULL OR p.started_at >= $4) AND ($5::timestamptz IS NULL OR p.started_at < $5)
    ORDER BY p.payment_id
    """,
)

_REFUNDS = Export(
    tuple(
        "refund_id order_id payment_id event_id session_id provider status currency amount_minor reason "
        "provider_reference otherwise_reference requested_at ended_at".split()
    ),
    """
    SELECT r.refund_id, r.order_id, r.payment_id, o.event_id, o.session_id, p.provider, r.status, r.currency,
           r.amount_minor, r.reason, r.provider_reference, r.otherwise_reference, r.requested_at, r.ended_at
    FROM refunds r
    JOIN orders o ON o.organization_id = $1 AND o.order_id = r.order_id
    JOIN payments p ON p.organization_id = $1 AND p.payment_id = r.payment_id
    WHERE r.organization_id = $1 AND ($2::uuid IS NULL OR o.event_id = $2) AND ($3::uuid IS NULL OR o.session_id = $3)
      AND ($4::timestamptz IS NULL OR r.requested_at >= $4) AND ($5::timestamptz IS NULL OR r.requested_at < $5)
    ORDER BY r.refund_id
    """,
)

_LEDGER = Export(
    tuple(
        "entry_id line entered_at account currency amount_minor order_id payment_id refund_id dispute_id "
        "event_id session_id".split()
    ),
    """
    SELECT entry_id, line, entered_at, account, currency, amount_minor, order_id, payment_id, refund_id, dispute_id,
           event_id, session_id
    FROM ledger_entries
    WHERE organization_id = $1 AND ($2::uuid IS NULL OR event_id = $2) AND ($3::uuid IS NULL OR session_id = $3)
      AND ($4::timestamptz IS NULL OR entered_at >= $4) AND ($5::timestamptz IS NULL OR entered_at < $5)
    ORDER BY entered_at, entry_id, line
    """,
)

_BALANCES = Export(
    tuple(
        "event_id event session_id session session_starts_at account currency received_minor given_minor "
        "balance_minor".split()
    ),
    """
    SELECT l.event_id, e.name AS event, l.session_id, s.name AS session, s.starts_at AS session_starts_at, l.account,
           l.currency, coalesce(sum(l.amount_minor) FILTER (WHERE l.amount_minor > 0), 0)::bigint AS received_minor,
           coalesce(-sum(l.amount_minor) FILTER (WHERE l.amount_minor < 0), 0)::bigint AS given_minor,
           sum(l.amount_minor)::bigint AS balance_minor
    FROM ledger_entries l
    JOIN events e ON e.organization_id = $1 AND e.event_id = l.event_id
    JOIN sessions s ON s.organization_id = $1 AND s.session_id = l.session_id
    WHERE l.organization_id = $1 AND ($2::uuid IS NULL OR l.event_id = $2) AND ($3::uuid IS NULL OR l.session_id = $3)
      AND ($4::timestamptz IS NULL OR l.entered_at >= $4) AND ($5::timestamptz IS NULL OR l.entered_at < $5)
    GROUP BY l.event_id, e.name, l.session_id, s.name, s.starts_at, l.account, l.currency
    ORDER BY l.event_id, l.session_id, l.currency, l.account
    """,
)

EXPORTS: Mapping[ExportKind, Export] = {
    "orders": _ORDERS,
    "payments": _PAYMENTS,
    "refunds": _REFUNDS,
    "ledger": _LEDGER,
    "balances": _BALANCES,
}
