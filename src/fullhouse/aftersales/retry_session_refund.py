"""Trying again what a refund of a session could not do."""

from dataclasses import dataclass
from uuid import UUID

from fullhouse.aftersales.session_refund_queries import list_failures, load_session_refunds
from fullhouse.aftersales.session_refunds import SessionRefundNotFound
from fullhouse.aftersales.writes import reopen_failed_orders
from fullhouse.core.ids import MakeId
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.payments.send_refunds import retry_refund

RETRIED_MAX = 1000
"""How many refunds that providers refused are requested again at once."""


@dataclass(frozen=True, slots=True)
class Retried:
    """How many orders wait again, and how many refunds were requested again."""

    order_count: int
    refund_count: int


async def retry_session_refund(conn: Connection, make_id: MakeId, organization_id: UUID, session_id: UUID) -> Retried:
    """Let the orders of a session's refunds that failed wait again, and request refused refunds again.

    Raises ``SessionRefundNotFound``.
    """
    jobs = await load_session_refunds(conn, organization_id, session_id)
    if not jobs:
        raise SessionRefundNotFound
    refused = [
        failure.refund_id
        for failure in await list_failures(conn, organization_id, session_id, None, RETRIED_MAX)
        if failure.refund_id is not None
    ]
    for refund_id in refused:
        await retry_refund(conn, make_id, organization_id, refund_id)
    order_count = await reopen_failed_orders(conn, organization_id, session_id)
    details = {"order_count": order_count, "refund_count": len(refused)}
    await record(conn, organization_id, Act("session.retry_refund", "session", session_id, details))
    return Retried(order_count, len(refused))
