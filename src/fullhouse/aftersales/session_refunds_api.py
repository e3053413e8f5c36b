"""Routes of refunds of whole sessions: ask for one, see how far it is, what failed, and try that again."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from fullhouse.access.http import requires
from fullhouse.access.rules import Grant
from fullhouse.aftersales.retry_session_refund import retry_session_refund
from fullhouse.aftersales.session_refund_queries import (
    list_failures,
    load_progress,
    load_session_refunds,
    refuse_unknown_session,
)
from fullhouse.aftersales.session_refunds import Progress, SessionRefund, SessionRefundReason
from fullhouse.aftersales.start_session_refund import start_session_refund
from fullhouse.infra.http import (
    ApiModel,
    Cursor,
    Flag,
    IdempotencyKey,
    Instant,
    Limit,
    Page,
    ResourcesDep,
    claim_for,
    decode_cursor,
    idempotent,
    page_of,
    problems,
)
from fullhouse.infra.postgres import Connection, connection, transaction

router = APIRouter(tags=["refunds"])

Refunder = Annotated[Grant, requires("refund:write")]
Reader = Annotated[Grant, requires("order:read")]
_LIST = "refund_failures"
_PATH = "/sessions/{session_id}/refunds"


class RefundSession(ApiModel):
    """How to refund all that was sold of a session that was cancelled, postponed or moved."""

    return_stock: Flag = False


class OrderCounts(ApiModel):
    """Orders by what became of them."""

    waiting: int
    done: int
    failed: int


class RefundCounts(ApiModel):
    """The money of the orders that are done, by where it is at its providers."""

    requested: int
    succeeded: int
    failed: int


class SessionRefundAnswer(ApiModel):
    """A refund of a session and how far it has come. ``ended_at`` is null while any of its orders waits."""

    id: UUID
    session_id: UUID
    reason: SessionRefundReason
    return_stock: bool
    requested_at: Instant
    ended_at: Instant | None
    order_count: int
    orders: OrderCounts
    refunds: RefundCounts
    amount_minor: int
    """What the orders that are done give back."""


class SessionRefundsAnswer(ApiModel):
    """The refunds of a session, the newest first."""

    items: list[SessionRefundAnswer]


class FailureAnswer(ApiModel):
    """An order that could not be refunded, or, with ``refund_id``, money that its provider would not give back."""

    order_id: UUID
    refund_id: UUID | None
    code: str
    detail: str


class RetriedAnswer(ApiModel):
    """How many orders wait again, and how many refunds were requested again."""

    order_count: int
    refund_count: int


@router.post(_PATH, status_code=201, responses=problems(404, 409))
async def post_session_refund(
    session_id: UUID,
    body: RefundSession,
    response: Response,
    grant: Refunder,
    resources: ResourcesDep,
    key: IdempotencyKey = None,
) -> SessionRefundAnswer:
    """Refund every paid order of a session. A worker does it; while one is under way, that one is answered."""

    async def effect(conn: Connection) -> SessionRefundAnswer:
        refund = await start_session_refund(
            conn,
            resources.make_id,
            grant.organization_id,
            session_id,
            grant.actor,
            return_stock=body.return_stock,
        )
        return _answer(refund, await load_progress(conn, refund))

    claim = claim_for(grant.organization_id, f"session_refunds:{session_id}", key, body)
    return await idempotent(resources.pool, grant.organization_id, response, claim, effect, model=SessionRefundAnswer)


@router.get(_PATH, responses=problems(404))
async def get_session_refunds(session_id: UUID, grant: Reader, resources: ResourcesDep) -> SessionRefundsAnswer:
    """Show how far the refunds of a session are."""
    async with connection(resources.pool, grant.organization_id) as conn:
        await refuse_unknown_session(conn, grant.organization_id, session_id)
        found = await load_session_refunds(conn, grant.organization_id, session_id)
        return SessionRefundsAnswer(items=[_answer(one, await load_progress(conn, one)) for one in found])


@router.get(_PATH + "/failures", responses=problems(404))
async def get_failures(
    session_id: UUID, grant: Reader, resources: ResourcesDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[FailureAnswer]:
    """List what could not be refunded, by order."""
    after = decode_cursor(_LIST, cursor, (UUID,))
    async with connection(resources.pool, grant.organization_id) as conn:
        await refuse_unknown_session(conn, grant.organization_id, session_id)
        found = await list_failures(conn, grant.organization_id, session_id, after[0] if after else None, limit + 1)
    return page_of(
        _LIST,
        found,
        limit,
        lambda one: FailureAnswer(order_id=one.order_id, refund_id=one.refund_id, code=one.code, detail=one.detail),
        lambda one: (one.order_id,),
    )


@router.post(_PATH + "/retry", responses=problems(404))
async def post_retry_session_refund(session_id: UUID, grant: Refunder, resources: ResourcesDep) -> RetriedAnswer:
    """Try again what could not be refunded, when what stood in its way is put right."""
    async with transaction(resources.pool, grant.organization_id) as conn:
        done = await retry_session_refund(conn, resources.make_id, grant.organization_id, session_id)
    return RetriedAnswer(order_count=done.order_count, refund_count=done.refund_count)


def _answer(refund: SessionRefund, progress: Progress) -> SessionRefundAnswer:
    return SessionRefundAnswer(
        id=refund.session_refund_id,
        session_id=refund.session_id,
        reason=refund.reason,
        return_stock=refund.return_stock,
        requested_at=refund.requested_at,
        ended_at=refund.ended_at,
        order_count=progress.order_count,
        orders=OrderCounts(waiting=progress.orders_waiting, done=progress.orders_done, failed=progress.orders_failed),
        refunds=RefundCounts(
            requested=progress.refunds_requested, succeeded=progress.refunds_succeeded, failed=progress.refunds_failed
        ),
        amount_minor=progress.amount_minor,
    )
