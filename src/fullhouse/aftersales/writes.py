"""Writing which units were refunded, and refunds of sessions with their orders."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.aftersales.session_refund_queries import session_refund_of
from fullhouse.aftersales.session_refunds import SessionRefund, SessionRefundReason
from fullhouse.core.ids import MakeId
from fullhouse.events.rules import SessionTerms
from fullhouse.infra.postgres import Connection


async def insert_refunded_units(
    conn: Connection, organization_id: UUID, order_id: UUID, unit_ids: Sequence[UUID], *, stock_returned: bool
) -> None:
    """Write down that units were refunded, and whether their stock went back. The key refuses a second time."""
    await conn.execute(
        """
        INSERT INTO refunded_units (organization_id, unit_id, order_id, stock_returned)
        SELECT $1, u, $2, $4 FROM unnest($3::uuid[]) AS u
        """,
        organization_id,
        order_id,
        unit_ids,
        stock_returned,
    )


async def name_refund(conn: Connection, organization_id: UUID, unit_ids: Sequence[UUID], refund_id: UUID) -> None:
    """Write down which refund gave the money of units back; the first, where several payments did."""
    await conn.execute(
        "UPDATE refunded_units SET refund_id = $3 WHERE organization_id = $1 AND unit_id = ANY ($2)",
        organization_id,
        unit_ids,
        refund_id,
    )


async def insert_session_refund(
    conn: Connection, make_id: MakeId, terms: SessionTerms, reason: SessionRefundReason, *, return_stock: bool
) -> SessionRefund:
    """Write a refund of a session, without its orders. The caller holds the session's lock."""
    row = await conn.fetchrow(
        """
        INSERT INTO session_refunds (organization_id, session_refund_id, session_id, reason, return_stock)
        VALUES ($1, $2, $3, $4, $5) RETURNING *
        """,
        terms.organization_id,
        make_id(),
        terms.session_id,
        reason.value,
        return_stock,
    )
    assert row is not None  # noqa: S101 (an INSERT that returns gives a row or raises)
    return session_refund_of(row)


async def list_paid_orders(conn: Connection, refund: SessionRefund) -> int:
    """Write down the session's paid orders that are not listed yet. Returns how many those are."""
    tag = await conn.execute(
        """
        INSERT INTO session_refund_orders (organization_id, session_refund_id, order_id)
        SELECT $1, $2, o.order_id FROM orders o
        WHERE o.organization_id = $1 AND o.session_id = $3 AND o.status = 'paid'
        ON CONFLICT DO NOTHING
        """,
        refund.organization_id,
        refund.session_refund_id,
        refund.session_id,
    )
    return int(tag.split()[-1])


async def claim_order_to_refund(conn: Connection, refund: SessionRefund) -> UUID | None:
    """Lock an order's line that waits and that nobody else has. None where there is none."""
    order_id: UUID | None = await conn.fetchval(
        """
        SELECT order_id FROM session_refund_orders
        WHERE organization_id = $1 AND session_refund_id = $2 AND status = 'waiting'
        ORDER BY order_id LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        refund.organization_id,
        refund.session_refund_id,
    )
    return order_id


async def mark_order_done(conn: Connection, refund: SessionRefund, order_id: UUID, amount_minor: int) -> None:
    """Write down that an order was refunded, in the transaction that did it."""
    await conn.execute(
        """
        UPDATE session_refund_orders SET status = 'done', amount_minor = $4, ended_at = clock_timestamp()
        WHERE organization_id = $1 AND session_refund_id = $2 AND order_id = $3
        """,
        refund.organization_id,
        refund.session_refund_id,
        order_id,
        amount_minor,
    )


async def mark_order_failed(conn: Connection, refund: SessionRefund, order_id: UUID, code: str, error: str) -> None:
    """Write down why an order could not be refunded, unless somebody refunded it meanwhile."""
    await conn.execute(
        """
        UPDATE session_refund_orders SET status = 'failed', error_code = $4, error = $5, ended_at = clock_timestamp()
        WHERE organization_id = $1 AND session_refund_id = $2 AND order_id = $3 AND status = 'waiting'
        """,
        refund.organization_id,
        refund.session_refund_id,
        order_id,
        code,
        error[:500],
    )


async def lock_session_refund(conn: Connection, refund: SessionRefund) -> None:
    """Let one at a time decide whether a refund of a session is over."""
    await conn.execute(
        """
        SELECT FROM session_refunds WHERE organization_id = $1 AND session_refund_id = $2 FOR UPDATE
        """,
        refund.organization_id,
        refund.session_refund_id,
    )


async def end_session_refund(conn: Connection, refund: SessionRefund) -> None:
    """End a refund of a session if none of its orders waits; else it is open. The caller has locked it."""
    await conn.execute(
        """
        UPDATE session_refunds r SET ended_at = CASE WHEN NOT EXISTS (
            SELECT FROM session_refund_orders k WHERE k.organization_id = $1 AND k.session_refund_id = $2
            AND k.status = 'waiting') THEN coalesce(ended_at, clock_timestamp()) END
        WHERE r.organization_id = $1 AND r.session_refund_id = $2
        """,
        refund.organization_id,
        refund.session_refund_id,
    )


async def reopen_failed_orders(conn: Connection, organization_id: UUID, session_id: UUID) -> int:
    """Let the failed orders of the newest refund of a session wait again, and open it. Returns how many."""
    count: int = await conn.fetchval(
        """
        WITH newest AS (
            SELECT session_refund_id FROM session_refunds
            WHERE organization_id = $1 AND session_id = $2 ORDER BY session_refund_id DESC LIMIT 1 FOR UPDATE
        ), again AS (
            UPDATE session_refund_orders k SET status = 'waiting', error_code = NULL, error = NULL, ended_at = NULL
            FROM newest n
            WHERE k.organization_id = $1 AND k.session_refund_id = n.session_refund_id AND k.status = 'failed'
            RETURNING k.order_id
        ), opened AS (
            UPDATE session_refunds r SET ended_at = NULL FROM newest n
            WHERE r.organization_id = $1 AND r.session_refund_id = n.session_refund_id
              AND EXISTS (SELECT FROM again)
        )
        SELECT count(*) FROM again
        """,
        organization_id,
        session_id,
    )
    return count


async def open_session_refund(
    conn: Connection, make_id: MakeId, organization_id: UUID, session_id: UUID
) -> SessionRefund:
    """Return the open refund of a session, locked, so that it does not end before the caller commits; or begin one."""
    while True:
        row = await conn.fetchrow(
            """
            INSERT INTO session_refunds (organization_id, session_refund_id, session_id, reason, return_stock)
            VALUES ($1, $2, $3, 'session_moved', true) ON CONFLICT DO NOTHING RETURNING *
            """,
            organization_id,
            make_id(),
            session_id,
        ) or await conn.fetchrow(
            """
            SELECT * FROM session_refunds WHERE organization_id = $1 AND session_id = $2 AND ended_at IS NULL FOR UPDATE
            """,
            organization_id,
            session_id,
        )
        if row is not None:
            return session_refund_of(row)


async def list_unanswered_orders(conn: Connection, refund: SessionRefund, move_id: UUID) -> None:
    """Write down the paid orders whose buyers did not answer to a move."""
    await conn.execute(
        """
        INSERT INTO session_refund_orders (organization_id, session_refund_id, order_id)
        SELECT $1, $2, a.order_id FROM move_answers a
        JOIN orders o ON o.organization_id = $1 AND o.order_id = a.order_id
        WHERE a.organization_id = $1 AND a.move_id = $3 AND a.answer IS NULL AND o.status = 'paid'
        ON CONFLICT DO NOTHING
        """,
        refund.organization_id,
        refund.session_refund_id,
        move_id,
    )
