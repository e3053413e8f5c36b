"""Sending refunds to their providers, until they are done or refused for good."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, connection, transaction
from fullhouse.infra.telemetry import get_log
from fullhouse.orders.mark_order_refunded import mark_order_refunded
from fullhouse.orders.queries import load_order
from fullhouse.orders.rules import OrderNotFound
from fullhouse.payments.ledger import refund_entry
from fullhouse.payments.messages import RefundFailed, RefundRequested, RefundSucceeded
from fullhouse.payments.providers.port import Providers, RefundCall, Refunded
from fullhouse.payments.queries import load_payment, load_refund, load_refunds
from fullhouse.payments.rules import (
    PaymentNotFound,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnknown,
    Refund,
    RefundNotFailed,
    RefundNotFound,
    RefundStatus,
    retry_seconds,
)
from fullhouse.payments.start_payment import charge_key
from fullhouse.payments.writes import (
    claim_refunds,
    end_refund,
    insert_entry,
    lock_order_money,
    postpone_refund,
    reopen_refund,
)

REFUNDS_PER_RUN_MAX = 50
LEASE_SECONDS = 120.0
"""How long a claimed refund is left alone by other processes; one that died is tried again after that."""

_log = get_log("payments")


async def send_refunds(
    pool: Pool, make_id: MakeId, providers: Providers, *, count_max: int = REFUNDS_PER_RUN_MAX
) -> int:
    """Send the refunds that are due and write down how each went. Returns how many succeeded.

    A provider that cannot be reached is tried again, later each time; the key makes it one refund. One that
    refuses for good ends the refund as ``failed``, for somebody to look at.
    """
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        claimed = await claim_refunds(conn, LEASE_SECONDS, count_max)
    succeeded = 0
    for refund in claimed:
        succeeded += await _send(pool, make_id, providers, refund)
    return succeeded


async def _send(pool: Pool, make_id: MakeId, providers: Providers, refund: Refund) -> bool:
    try:
        answer = await _call(pool, providers, refund)
    except (ProviderUnavailable, ProviderUnknown) as lost:
        await _postpone(pool, refund, lost.detail)
        return False
    except ProviderRefused as refused:
        _log.error("refund_refused", refund_id=str(refund.refund_id), detail=refused.detail)
        async with transaction(pool, refund.organization_id) as conn:
            failed = await end_refund(conn, refund, RefundStatus.FAILED, error=refused.detail)
            await append(conn, make_id, [RefundFailed(failed)] if failed else [])
        return False
    if not answer.done:
        await _postpone(pool, refund, "the provider has not done it yet")
        return False
    async with transaction(pool, refund.organization_id) as conn:
        return await _record_success(conn, make_id, refund, answer)


async def _call(pool: Pool, providers: Providers, refund: Refund) -> Refunded:
    async with connection(pool, refund.organization_id) as conn:
        payment = await load_payment(conn, refund.organization_id, refund.payment_id)
    if payment is None:
        raise PaymentNotFound
    call = RefundCall(
        charge=charge_key(payment),
        refund_id=refund.refund_id,
        provider_key=refund.provider_key,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
    )
    return await providers.named(payment.provider).refund(call)


async def _postpone(pool: Pool, refund: Refund, error: str) -> None:
    _log.warning("refund_postponed", refund_id=str(refund.refund_id), attempts=refund.attempts, error=error)
    async with connection(pool, refund.organization_id) as conn:
        await postpone_refund(conn, refund, retry_seconds(refund.attempts), error)


async def _record_success(conn: Connection, make_id: MakeId, refund: Refund, answer: Refunded) -> bool:
    """Write that the money went back; an order that only waited for that is then refunded."""
    await lock_order_money(conn, refund.organization_id, refund.order_id)
    order = await load_order(conn, refund.organization_id, refund.order_id)
    payment = await load_payment(conn, refund.organization_id, refund.payment_id)
    if order is None or payment is None:
        raise OrderNotFound
    others = await load_refunds(conn, refund.organization_id, refund.order_id)
    if all(other.status is RefundStatus.SUCCEEDED for other in others if other.refund_id != refund.refund_id):
        await mark_order_refunded(conn, make_id, refund.organization_id, refund.order_id)
    done = await end_refund(conn, refund, RefundStatus.SUCCEEDED, reference=answer.reference)
    if done is None:
        return False
    entry = refund_entry(payment.provider, done.amount_minor)
    await insert_entry(conn, make_id, order, entry, payment_id=done.payment_id, refund_id=done.refund_id)
    await append(conn, make_id, [RefundSucceeded(done)])
    return True


async def retry_refund(conn: Connection, make_id: MakeId, organization_id: UUID, refund_id: UUID) -> Refund:
    """Put a failed refund back to ``requested`` with the same key, when what stood in its way is put right.

    Raises ``RefundNotFound`` and ``RefundNotFailed``.
    """
    known = await load_refund(conn, organization_id, refund_id)
    if known is None:
        raise RefundNotFound
    refund = await reopen_refund(conn, organization_id, refund_id)
    if refund is None:
        raise RefundNotFailed(refund_id=str(refund_id), refund_status=known.status.value)
    await append(conn, make_id, [RefundRequested(refund)])
    act = Act("refund.retry", "refund", refund_id, {"order_id": str(refund.order_id)})
    await record(conn, organization_id, act)
    return refund
