"""Asking for the refund of all that was sold of a session: written down whole, before the first of it is refunded."""

from uuid import UUID

from fullhouse.access.policies.refund import check_refund
from fullhouse.aftersales.session_refund_queries import load_session_refunds, load_sold_of_session
from fullhouse.aftersales.session_refunds import SessionRefund, SessionRefundReason, SessionStands
from fullhouse.aftersales.writes import insert_session_refund, list_paid_orders
from fullhouse.core.actor import Actor
from fullhouse.core.ids import MakeId
from fullhouse.core.json import Json
from fullhouse.events.lock_terms import lock_session
from fullhouse.events.rules import SessionStatus
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.organizations.queries import load_refund_limit


async def start_session_refund(
    conn: Connection,
    make_id: MakeId,
    organization_id: UUID,
    session_id: UUID,
    by: Actor | None,
    *,
    return_stock: bool = False,
) -> SessionRefund:
    """Ask for the refund of every paid order of a session. A worker does it, order by order.

    ``by`` is who asks; None is the operator, whom no limit holds. While one is under way, it is returned and nothing is
    changed, so that repeating is safe. The organization's limit of refunds counts all that it gives back. Raises
    ``SessionNotFound``, ``SessionStands``, ``RefundAboveLimit``.
    """
    terms = await lock_session(conn, organization_id, session_id)
    if terms.status is SessionStatus.SCHEDULED:
        raise SessionStands(session_id=str(session_id), session_status=terms.status.value)
    running = [one for one in await load_session_refunds(conn, organization_id, session_id) if one.ended_at is None]
    if running:
        return running[0]
    amount = await load_sold_of_session(conn, organization_id, session_id)
    if by is not None:
        check_refund(by, await load_refund_limit(conn, organization_id), before_minor=0, amount_minor=amount)
    is_cancelled = terms.status is SessionStatus.CANCELLED
    reason = SessionRefundReason.CANCELLED if is_cancelled else SessionRefundReason.MOVED
    refund = await insert_session_refund(conn, make_id, terms, reason, return_stock=return_stock)
    count = await list_paid_orders(conn, refund)
    details: dict[str, Json] = {
        "order_count": count,
        "amount_minor": amount,
        "currency": terms.currency,
        "stock_returned": return_stock,
    }
    await record(conn, organization_id, Act("session.refund", "session", session_id, details))
    return refund
