"""Working off refunds of sessions, order by order: each in one transaction with the line that says it is done.

It may be cut short between any two statements and begun again by anybody: an order is refunded once, or still waits.
"""

from uuid import UUID

from fullhouse.aftersales.refund_order import refund_order
from fullhouse.aftersales.rules import RefundWish
from fullhouse.aftersales.session_refund_queries import list_open_session_refunds
from fullhouse.aftersales.session_refunds import SessionRefund, SessionRefundReason
from fullhouse.aftersales.writes import (
    claim_order_to_refund,
    end_session_refund,
    list_paid_orders,
    lock_session_refund,
    mark_order_done,
    mark_order_failed,
)
from fullhouse.core.errors import DomainError, Unavailable
from fullhouse.core.ids import MakeId
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, connection, transaction
from fullhouse.infra.telemetry import get_log
from fullhouse.orders.queries import load_order
from fullhouse.orders.rules import OrderStatus

ORDERS_PER_RUN_MAX = 500
_JOBS_PER_RUN_MAX = 20
_log = get_log("aftersales")


async def work_session_refunds(pool: Pool, make_id: MakeId, *, count_max: int = ORDERS_PER_RUN_MAX) -> int:
    """Refund orders that wait, and end what is done. Returns how many orders were refunded or given up.

    Several workers may do it at once. What is refused for good is written down with its order, and the others go on.
    """
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        jobs = await list_open_session_refunds(conn, _JOBS_PER_RUN_MAX)
    count = 0
    for job in jobs:
        if job.ended_at is not None:
            await _finish(pool, job)
        while count < count_max and await _next(pool, make_id, job):
            count += 1
        if count < count_max:
            await _finish(pool, job)
    return count


class OrderRefused(Exception):
    """An order of a session's refund cannot be refunded; the transaction that found out is to be given up."""

    def __init__(self, order_id: UUID, refused: DomainError) -> None:
        """Name the order, and what was said."""
        super().__init__(refused.detail)
        self.order_id = order_id
        self.refused = refused


async def refund_next_order(conn: Connection, make_id: MakeId, job: SessionRefund) -> UUID | None:
    """Refund an order of a session's refund that waits, and write down that it is done. Returns which.

    None where none waits that nobody else is at. Raises ``OrderRefused``, and ``Unavailable``.
    """
    order_id = await claim_order_to_refund(conn, job)
    if order_id is None:
        return None
    order = await load_order(conn, job.organization_id, order_id)
    if order is not None and order.status is OrderStatus.REFUNDED:
        # Somebody was faster: there is nothing left to give back.
        await mark_order_done(conn, job, order_id, 0)
        return order_id
    wish = RefundWish(return_stock=job.return_stock, reason=job.reason.value)
    try:
        done = await refund_order(conn, make_id, job.organization_id, order_id, wish)
    except Unavailable:
        raise
    except DomainError as refused:
        raise OrderRefused(order_id, refused) from refused
    await mark_order_done(conn, job, order_id, done.amount_minor)
    return order_id


async def _next(pool: Pool, make_id: MakeId, job: SessionRefund) -> bool:
    """Refund one order, or write down why not. False where none waits that nobody else is at."""
    try:
        async with transaction(pool, job.organization_id) as conn:
            return await refund_next_order(conn, make_id, job) is not None
    except OrderRefused as error:
        async with transaction(pool, job.organization_id) as conn:
            await mark_order_failed(conn, job, error.order_id, error.refused.code, error.refused.detail)
        _log.warning("session_refund_order_failed", order_id=str(error.order_id), code=error.refused.code)
    return True


async def _finish(pool: Pool, job: SessionRefund) -> None:
    """List what was sold meanwhile, and end the refund unless anything waits."""
    async with transaction(pool, job.organization_id) as conn:
        await lock_session_refund(conn, job)
        if job.reason is SessionRefundReason.CANCELLED:
            await list_paid_orders(conn, job)
        await end_session_refund(conn, job)
