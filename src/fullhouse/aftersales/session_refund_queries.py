"""Reading refunds of sessions and how far they have come."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.aftersales.session_refunds import Progress, RefundFailure, SessionRefund, SessionRefundReason
from fullhouse.events.queries import load_terms
from fullhouse.events.rules import SessionNotFound
from fullhouse.infra.postgres import Connection, Record


async def refuse_unknown_session(conn: Connection, organization_id: UUID, session_id: UUID) -> None:
    """Raise ``SessionNotFound`` where the organization has no such session."""
    if await load_terms(conn, organization_id, session_id) is None:
        raise SessionNotFound


async def load_session_refunds(conn: Connection, organization_id: UUID, session_id: UUID) -> list[SessionRefund]:
    """List the refunds of a session, the newest first."""
    rows = await conn.fetch(
        """
        SELECT * FROM session_refunds WHERE organization_id = $1 AND session_id = $2
        ORDER BY session_refund_id DESC LIMIT 100
        """,
        organization_id,
        session_id,
    )
    return [session_refund_of(row) for row in rows]


async def list_open_session_refunds(conn: Connection, count_max: int) -> list[SessionRefund]:
    """List what is to be worked on, the oldest first, whosever it is.

    One of a cancelled session is looked at for another hour: a payment that was being settled while the session was
    cancelled may have sold places after the orders were listed.
    """
    rows = await conn.fetch(
        """
        SELECT * FROM session_refunds r
        WHERE ended_at IS NULL OR (
            reason = 'session_cancelled' AND ended_at > clock_timestamp() - interval '1 hour'
            AND EXISTS (SELECT FROM orders o WHERE o.organization_id = r.organization_id
                        AND o.session_id = r.session_id AND o.status = 'paid' AND NOT EXISTS (
                            SELECT FROM session_refund_orders k
                            WHERE k.organization_id = r.organization_id
                              AND k.session_refund_id = r.session_refund_id AND k.order_id = o.order_id))
            AND NOT EXISTS (SELECT FROM session_refunds n WHERE n.organization_id = r.organization_id
                            AND n.session_id = r.session_id AND n.session_refund_id > r.session_refund_id))
        ORDER BY requested_at LIMIT $1
        """,
        count_max,
    )
    return [session_refund_of(row) for row in rows]


async def load_sold_of_session(conn: Connection, organization_id: UUID, session_id: UUID) -> int:
    """Sum what the buyers of a session paid for it and have not asked back."""
    sold: int = await conn.fetchval(
        """
        SELECT coalesce(-sum(l.amount_minor), 0)::bigint
        FROM ledger_entries l JOIN orders o ON o.organization_id = $1 AND o.order_id = l.order_id
        WHERE l.organization_id = $1 AND l.session_id = $2 AND o.status = 'paid'
          AND l.account IN ('sales', 'discounts', 'fees', 'absorbed_fees', 'taxes')
        """,
        organization_id,
        session_id,
    )
    return sold


async def load_progress(conn: Connection, refund: SessionRefund) -> Progress:
    """Count how far a refund of a session has come."""
    row = await conn.fetchrow(
        """
        WITH listed AS (
            SELECT order_id, status, amount_minor FROM session_refund_orders
            WHERE organization_id = $1 AND session_refund_id = $2
        ), given AS (
            SELECT r.status FROM listed l JOIN refunds r ON r.organization_id = $1 AND r.order_id = l.order_id
            WHERE l.status = 'done' AND r.reason = $3
        )
        SELECT count(*) FILTER (WHERE status = 'waiting') AS orders_waiting,
               count(*) FILTER (WHERE status = 'done') AS orders_done,
               count(*) FILTER (WHERE status = 'failed') AS orders_failed,
               (SELECT count(*) FROM given WHERE status = 'requested') AS refunds_requested,
               (SELECT count(*) FROM given WHERE status IN ('succeeded', 'forfeited')) AS refunds_succeeded,
               (SELECT count(*) FROM given WHERE status = 'failed') AS refunds_failed,
               coalesce(sum(amount_minor), 0)::bigint AS amount_minor
        FROM listed
        """,
        refund.organization_id,
        refund.session_refund_id,
        refund.reason.value,
    )
    assert row is not None  # noqa: S101 (a sum of nothing is a row too)
    return Progress(**dict(row))


async def list_failures(
    conn: Connection, organization_id: UUID, session_id: UUID, after: UUID | None, count_max: int
) -> Sequence[RefundFailure]:
    """List, by order, the orders of a session that could not be refunded, and refunds that providers refused."""
    rows = await conn.fetch(
        """
        SELECT k.order_id, NULL::uuid AS refund_id, k.error_code AS code, k.error AS detail
        FROM session_refund_orders k JOIN session_refunds s
            ON s.organization_id = $1 AND s.session_refund_id = k.session_refund_id
        WHERE k.organization_id = $1 AND s.session_id = $2 AND k.status = 'failed'
          AND ($3::uuid IS NULL OR k.order_id > $3)
        UNION ALL
        SELECT r.order_id, r.refund_id, 'refund_failed', coalesce(r.last_error, '')
        FROM orders o JOIN refunds r ON r.organization_id = $1 AND r.order_id = o.order_id
        WHERE o.organization_id = $1 AND o.session_id = $2 AND r.status = 'failed'
          AND r.reason IN ('session_cancelled', 'session_moved') AND ($3::uuid IS NULL OR r.order_id > $3)
        ORDER BY order_id, refund_id LIMIT $4
        """,
        organization_id,
        session_id,
        after,
        count_max,
    )
    return [RefundFailure(row["order_id"], row["refund_id"], row["code"], row["detail"]) for row in rows]


def session_refund_of(row: Record) -> SessionRefund:
    """Build a refund of a session from its row."""
    return SessionRefund(
        organization_id=row["organization_id"],
        session_refund_id=row["session_refund_id"],
        session_id=row["session_id"],
        reason=SessionRefundReason(row["reason"]),
        return_stock=row["return_stock"],
        requested_at=row["requested_at"],
        ended_at=row["ended_at"],
    )
